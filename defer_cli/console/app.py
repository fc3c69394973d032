"""The console as an application: its routes, and the headers that keep what it shows from doing anything."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from defer_cli.console.assets import Assets
from defer_cli.console.bulk import Bulk
from defer_cli.console.changing import Changing
from defer_cli.console.downloads import Downloads
from defer_cli.console.execution import ExecutionPage
from defer_cli.console.executions import ExecutionsPage, tidy
from defer_cli.console.fires import Fires
from defer_cli.console.function import FunctionPage
from defer_cli.console.functions import FunctionsPage
from defer_cli.console.live import Live
from defer_cli.console.overview import OverviewPage
from defer_cli.console.pages import LIVE, Pages
from defer_cli.console.running import ByHand
from defer_cli.console.sessions import Sessions
from defer_cli.console.signing import SignedIn, Signing
from defer_cli.console.sweeps import Sweeps
from defer_cli.console.views import Look, View
from defer_cli.domain.errors import (
    DeferError,
    ExecutionAbortingAlreadyInProgress,
    ExecutionNotCancellable,
    ExecutionNotFound,
    ExecutionNotReschedulable,
    SettingError,
    StoreError,
)
from defer_cli.web.backend import Backend
from defer_cli.web.routes import Handler, at
from defer_cli.web.tokens import Token

_TOO_LATE = (ExecutionNotCancellable, ExecutionNotReschedulable, ExecutionAbortingAlreadyInProgress)
_OWN = frozenset({"", "functions", "executions", "sign-in", "sign-out", "assets"})
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = [
    (b"content-security-policy", _POLICY.encode()),
    (b"referrer-policy", b"same-origin"),  # without one, Origin is null and our own forms are refused
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
]


def owns(path: str) -> bool:
    """Return whether a path belongs to the console."""
    return path.startswith("/") and not path.startswith("//") and path.split("/", 2)[1] in _OWN


def build_console(backend: Backend, *, token: Token | None, mask: Sequence[str]) -> ASGIApp:
    """Return the console of a runner; ``mask`` are more names under which values are secret."""
    sessions = None if token is None else Sessions(token)
    assets = Assets()
    pages = Pages(assets, project=backend.project, has_sign_in=token is not None)
    app = Starlette(routes=_routes(backend, pages, assets, sessions, mask))
    app.router.redirect_slashes = False
    for kind in (DeferError, HTTPException, ClientDisconnect, Exception):
        app.add_exception_handler(kind, _on_error(pages))
    return _Headed(SignedIn(app, sessions))


def _routes(
    backend: Backend, pages: Pages, assets: Assets, sessions: Sessions | None, mask: Sequence[str]
) -> Sequence[BaseRoute]:
    signing, changing = Signing(sessions, pages), Changing(backend, pages)
    live, downloads = Live(backend, pages), Downloads(backend, mask)
    by_hand, fires, sweeps = ByHand(backend, pages), Fires(), Sweeps(backend)
    bulk = Bulk(backend, pages, sweeps)

    def page(look: Look) -> Handler:
        async def answer(request: Request) -> Response:
            if LIVE in request.query_params:
                return await live.answer(request, look)
            return await pages.answer(request, await look(request))

        return answer

    return (
        at("/assets/{name}", GET=assets.get),
        at("/sign-in", GET=signing.ask, POST=signing.begin),
        at("/sign-out", POST=signing.end),
        at("/", GET=page(OverviewPage(backend, fires).look)),
        at("/functions", GET=page(FunctionsPage(backend, fires).look)),
        at("/functions/{name}", GET=page(FunctionPage(backend, mask).look)),
        at("/functions/{name}/run", GET=by_hand.ask, POST=by_hand.run),
        at("/functions/{name}/pause", POST=by_hand.pause),
        at("/functions/{name}/resume", POST=by_hand.resume),
        at("/executions", GET=tidy(page(ExecutionsPage(backend, mask, sweeps).look))),
        at("/executions/change", POST=bulk.change),
        at("/executions/changes/{id}", GET=page(bulk.look)),
        at("/executions/changes/{id}/stop", POST=bulk.stop),
        at("/executions/{id}", GET=page(ExecutionPage(backend, mask).look)),
        at("/executions/{id}/log.txt", GET=downloads.log),
        at("/executions/{id}/arguments.json", GET=downloads.arguments),
        at("/executions/{id}/result.json", GET=downloads.result),
        at("/executions/{id}/rerun", POST=changing.rerun),
        at("/executions/{id}/cancel", POST=changing.cancel),
        at("/executions/{id}/abort", POST=changing.abort),
        at("/executions/{id}/reschedule", POST=changing.reschedule),
    )


def _on_error(pages: Pages) -> Callable[[Request, Any], Awaitable[Response]]:
    async def answer(request: Request, error: Any) -> Response:
        """Answer with a page that says what is wrong; what a fault of ours is stays in the log."""
        status, problem, mend = _told(error)
        data = {"problem": problem, "mend": mend, "status": status}
        view = View(template="failure.html", title=problem, data=data, status=status)
        return await pages.answer(request, view)

    return answer


def _told(error: Exception) -> tuple[int, str, str | None]:
    if isinstance(error, HTTPException):
        return error.status_code, "There is no such page." if error.detail == "Not Found" else error.detail, None
    if isinstance(error, ExecutionNotFound):
        return 404, error.problem, "It may have been pruned, or belong to another project."
    if isinstance(error, StoreError):
        return 503, error.problem, error.mend
    if isinstance(error, SettingError) and error.where:
        return 400, f"{error.where}: {error.problem}", error.mend
    if isinstance(error, DeferError):
        return 409 if isinstance(error, _TOO_LATE) else 400, error.problem, error.mend
    return 500, "Something went wrong in defer; its log says what.", None


class _Headed:
    """An application whose every answer carries the headers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def headed(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_HEADERS]
            await send(message)

        await self._app(scope, receive, headed)
