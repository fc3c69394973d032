"""The rows of the OpenAPI document: one file for each part of the API, and the words they are written in."""
