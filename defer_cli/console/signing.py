"""Who may see pages: whoever has signed in with the token, for 12 hours; everybody where there is no token."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from urllib.parse import quote

from markupsafe import escape
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from defer_cli.console.forms import read_form
from defer_cli.console.pages import LIVE, Pages
from defer_cli.console.sessions import Sessions, TooManyTries, cookie_of, set_cookie
from defer_cli.console.views import View
from defer_cli.web.answers import failure

_OPEN = ("/sign-in", "/assets/")
_PAUSE_SECONDS = 0.3
"""An answer to a wrong token waits so long: a person does not feel it, who guesses does."""


class SignedIn:
    """An application before another one: lets in who has a session, leads others to where they get one."""

    def __init__(self, app: ASGIApp, sessions: Sessions | None) -> None:
        self._app = app
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app: ASGIApp = self._app
        if self._sessions is not None and not scope["path"].startswith(_OPEN):
            request = Request(scope, receive)
            value = cookie_of(request.headers.get("cookie"))
            if self._sessions.ends_at(value) is None:
                app = _without_session(request)
        await app(scope, receive, send)


def _without_session(request: Request) -> Response:
    if LIVE in request.query_params:
        return failure(401, "sign in first")
    path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    if request.method not in ("GET", "HEAD"):
        return RedirectResponse("/sign-in", 303)
    return RedirectResponse(f"/sign-in?next={quote(path, safe='')}", 303, {"cache-control": "no-store"})


class Signing:
    """The pages to sign in and out."""

    def __init__(self, sessions: Sessions | None, pages: Pages) -> None:
        self._sessions = sessions
        self._pages = pages

    async def ask(self, request: Request) -> Response:
        """Return the form that asks for the token."""
        following = _next_of([request.query_params.get("next", "")])
        if self._sessions is None or self._sessions.ends_at(cookie_of(request.headers.get("cookie"))) is not None:
            return RedirectResponse(following, 303, {"cache-control": "no-store"})
        if "next" in request.query_params and "again" not in request.query_params and _may_come_from_elsewhere(request):
            return _asked_again(following)
        return await self._form(request, following, None, 200)

    async def begin(self, request: Request) -> Response:
        """Begin a session for who shows the token."""
        if self._sessions is None:
            return RedirectResponse("/", 303)
        form = await read_form(request)
        following = _next_of(form.all("next"))
        try:
            value = self._sessions.begin(form.one("token"))
        except TooManyTries:
            return await self._form(request, following, "Too many wrong tokens. Wait a minute.", 429)
        if value is None:
            await asyncio.sleep(_PAUSE_SECONDS)
            return await self._form(request, following, "That is not the token.", 403)
        is_secure = request.headers.get("origin", "").lower().startswith("https://")
        return RedirectResponse(following, 303, {"set-cookie": set_cookie(value, is_secure=is_secure)})

    async def end(self, request: Request) -> Response:
        """End a session."""
        if self._sessions is not None:
            self._sessions.end(cookie_of(request.headers.get("cookie")))
        headers = {"set-cookie": set_cookie("", is_secure=False), "clear-site-data": '"cache"'}
        return RedirectResponse("/sign-in?done=signed-out", 303, headers)

    async def _form(self, request: Request, following: str, problem: str | None, status: int) -> Response:
        data = {"next": following, "problem": problem}
        view = View(template="sign_in.html", title="Sign in", data=data, status=status)
        return await self._pages.answer(request, view)


def _may_come_from_elsewhere(request: Request) -> bool:
    """Return whether a page of another site may have led here; on plain http, browsers do not tell."""
    return request.headers.get("sec-fetch-site") in (None, "cross-site")


def _asked_again(following: str) -> Response:
    """Return a page that asks anew: SameSite=Strict keeps our cookie from a link in a chat, not from a page of ours."""
    path = escape(f"/sign-in?again=1&next={quote(following, safe='')}")
    return HTMLResponse(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="0;url={path}">'
        f'<title>defer</title><a href="{path}">Go on</a>',
        headers={"cache-control": "no-store"},
    )


def _next_of(given: Iterable[str]) -> str:
    """Return the path to go on to: one of ours, whatever the address says."""
    for path in given:
        if path.startswith("/") and not path.startswith(("//", "/\\", "/sign-")) and path.isprintable():
            return path
    return "/"
