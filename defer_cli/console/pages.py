"""Views as HTML: whole, or the parts that move."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from defer_cli import __version__
from defer_cli.console import words
from defer_cli.console.assets import Assets
from defer_cli.console.notices import notice
from defer_cli.console.views import View
from defer_cli.web.reading import Part

LIVE, SEEN = "live", "seen"
"""Fields of the query that ask for a page's events: the digest of what is shown, and how far its log is."""
_HEADERS = {"cache-control": "no-store"}


class Pages:
    """Draws views with templates that escape whatever they are given."""

    def __init__(self, assets: Assets, *, project: str, has_sign_in: bool) -> None:
        self._templates = Environment(
            loader=FileSystemLoader(Path(__file__).with_name("templates")),
            autoescape=True,
            auto_reload=False,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters.update(words.FILTERS)
        self._templates.globals.update(
            asset=assets.names,
            project=project,
            version=__version__,
            has_sign_in=has_sign_in,
            status=words.status,
            outcome=words.outcome,
            between=words.between,
            percent=words.percent,
            STATE_WORDS=words.STATE_WORDS,
        )

    async def answer(self, request: Request, view: View) -> Response:
        """Return a view as a page."""
        html = await asyncio.to_thread(self._page, request, view)
        return HTMLResponse(html, view.status, _HEADERS)

    async def parts(self, view: View) -> tuple[Mapping[str, str], str]:
        """Return the parts that move, and a digest of them; in a thread, for the loop has executions to start."""
        return await asyncio.to_thread(self._parts, view)

    def log(self, parts: Sequence[Part]) -> str:
        """Return lines of a log."""
        return self._templates.get_template("parts/log_lines.html").render(parts=parts)

    def _page(self, request: Request, view: View) -> str:
        drawn, digest = self._parts(view)
        return self._templates.get_template(view.template).render(
            view.data,
            title=view.title,
            section=view.section,
            parts={id: Markup(html) for id, html in drawn.items()},  # noqa: S704  # our own templates, escaped already
            live_url=None if view.is_at_rest or not view.parts else _live_url(request, digest, view),
            notice=notice(request.query_params),
        )

    def _parts(self, view: View) -> tuple[Mapping[str, str], str]:
        drawn = {id: self._templates.get_template(name).render(view.data) for id, name in view.parts.items()}
        digest = hashlib.blake2b("\0".join(drawn.values()).encode("utf-8", "replace"), digest_size=8)
        return drawn, digest.hexdigest()


def _live_url(request: Request, digest: str, view: View) -> str:
    asked: list[tuple[str, Any]] = [pair for pair in request.query_params.multi_items() if pair[0] not in (LIVE, SEEN)]
    asked.append((LIVE, digest))
    if view.log is not None:
        asked.append((SEEN, seen_text(view.log.seen)))
    return f"{request.url.path}?{urlencode(asked)}"


def seen_text(seen: Mapping[int, int]) -> str:
    """Return how far a log was read, as an address holds it: ``attempt:part,…``."""
    return ",".join(f"{attempt}:{part}" for attempt, part in seen.items())
