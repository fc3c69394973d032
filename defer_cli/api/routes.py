"""Where the API lives."""

from __future__ import annotations

V1, V2 = "/public/v1", "/public/v2"
