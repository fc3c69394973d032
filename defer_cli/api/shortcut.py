"""The short way of what is asked most: a call, past the layers that find out what is asked."""

from __future__ import annotations

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from defer_cli.api.failures import on_defer_error, on_disconnect, on_unexpected
from defer_cli.api.routes import V2
from defer_cli.domain.errors import DeferError
from defer_cli.web.routes import Handler


class Shortcut:
    """Answers ``PUT executions`` by itself, all else by ``app``, and both in the same way.

    The layers cost 15 us of the 35 us that a call takes on its way to the store and back.
    """

    def __init__(self, app: ASGIApp, enqueue: Handler) -> None:
        self._app = app
        self._enqueue = enqueue

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "PUT" or scope["path"] != f"{V2}/executions":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            response = await self._enqueue(request)
        except DeferError as error:
            response = await on_defer_error(request, error)
        except ClientDisconnect as error:
            response = await on_disconnect(request, error)
        except Exception as error:
            await (await on_unexpected(request, error))(scope, receive, send)
            raise  # to the log
        await response(scope, receive, send)
