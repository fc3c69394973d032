"""`/openapi.json`: what the API serves, told from the rows beside it and the types it reads and writes."""

from __future__ import annotations

import asyncio
from functools import cache
from hashlib import blake2b
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from defer_cli import __version__
from defer_cli.web.backend import Backend
from defer_cli.web.routes import at

_ABOUT = """\
Call the functions of a `defer` project, look at what became of the calls, and change it.

The paths under `/public/v2` are those that the npm package `@defer/client` 2.3.0 speaks, and some beyond them;
those under `/public/v1` are for clients older than that. Every error is `{"error": …, "message": …}`.
"""
_TAGS = {
    "executions": "Calls of functions, and what became of them.",
    "functions": "What can be called.",
    "runner": "The runner itself.",
    "v1": "The first version of the API, for old clients.",
}
_SECURITY_SCHEMES = {
    "basic": {
        "type": "http",
        "scheme": "basic",
        "description": "An empty user name, and the token as the password: `curl -u :$DEFER_TOKEN`.",
    },
    "bearer": {"type": "http", "scheme": "bearer", "description": "The token."},
}


def openapi_routes(_: Backend) -> list[Route]:
    """Return the route of the document."""
    return [at("/openapi.json", GET=get_document)]


async def get_document(request: Request) -> Response:
    """Return the document; 304 when the caller has it."""
    body, etag = await asyncio.to_thread(_written)  # the first time takes longer than the loop may stand still
    headers = {"etag": etag, "cache-control": "no-cache"}
    if _is_held(request.headers.get("if-none-match", ""), etag):
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type="application/json")


def document() -> dict[str, Any]:
    """Return the OpenAPI document."""
    from defer_cli.api.openapi_parts.rows import ROWS
    from defer_cli.api.openapi_parts.writing import paths_and_components

    paths, components = paths_and_components(ROWS)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "defer",
            "summary": "Background functions and crons for Python.",
            "description": _ABOUT,
            "license": {"name": "MIT", "identifier": "MIT"},
            "version": __version__,
        },
        "servers": [{"url": "/", "description": "The runner that serves this document."}],
        "security": [{name: []} for name in _SECURITY_SCHEMES],
        "tags": [{"name": name, "description": told} for name, told in _TAGS.items()],
        "paths": paths,
        "components": components | {"securitySchemes": _SECURITY_SCHEMES},
    }


@cache
def _written() -> tuple[bytes, str]:
    """Return the document as it is sent, and its tag; it is the same as long as the process lives."""
    body = msgspec.json.encode(document())
    return body, f'"{blake2b(body, digest_size=16).hexdigest()}"'


def _is_held(header: str, etag: str) -> bool:
    """Return whether ``If-None-Match`` names the tag; weak tags will do (RFC 9110 section 13.1.2)."""
    return any(one.strip().removeprefix("W/") in ("*", etag) for one in header.split(","))
