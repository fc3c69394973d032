"""Every path of the console, as its application has them."""

from __future__ import annotations

from typing import Any, cast

from starlette.routing import Route

from defer_cli.console.app import _routes
from defer_cli.console.assets import Assets
from defer_cli.console.pages import Pages


def paths(method: str, *, id: str, name: str) -> list[str]:
    """Return the paths that answer to a method, of one execution and one function."""
    nothing = cast(Any, None)
    assets = Assets()
    routes = cast("list[Route]", _routes(nothing, Pages(assets, project="", has_sign_in=False), assets, None, ()))
    values = {"{id}": id, "{name}": name}
    found = [route.path for route in routes if method in (route.methods or ()) and not route.path.startswith("/assets")]
    return [_filled(path, values) for path in found]


def _filled(path: str, values: dict[str, str]) -> str:
    for place, value in values.items():
        path = path.replace(place, value)
    return path
