"""Telling people what happened: what is told, how much of it makes a message, how messages leave."""
