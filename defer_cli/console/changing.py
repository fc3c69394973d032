"""What the page of an execution does to it: rerun, cancel, abort, reschedule."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from defer_cli.console.forms import moment_in, read_form
from defer_cli.console.pages import Pages
from defer_cli.console.views import View
from defer_cli.domain.changes import Change
from defer_cli.domain.execution import to_microseconds
from defer_cli.domain.ids import random_id
from defer_cli.web.backend import Backend


class Changing:
    """Handlers of forms: each makes one change, and leads to a page that shows what came of it."""

    def __init__(self, backend: Backend, pages: Pages) -> None:
        self._backend = backend
        self._pages = pages

    async def rerun(self, request: Request) -> Response:
        """Run it once more, and show the new execution."""
        id, new_id = request.path_params["id"], random_id()
        await self._change("rerun", pairs=[(id, new_id)])
        return to(f"/executions/{new_id}?done=rerun")

    async def cancel(self, request: Request) -> Response:
        """Cancel what waits."""
        id = request.path_params["id"]
        await self._change("cancel", ids=[id])
        return to(f"/executions/{id}?done=cancelled")

    async def abort(self, request: Request) -> Response:
        """Abort what runs, once whoever asks is sure."""
        id = request.path_params["id"]
        if not (await read_form(request)).one("sure"):
            found = await self._backend.ask("execution", id=id)
            view = View(
                template="sure.html",
                title="Abort it?",
                section="executions",
                data={
                    "question": f"Abort this execution of {found['function']}()?",
                    "detail": "CancelledError is raised in it; 5 s later its process is killed. It is not tried again.",
                    "action": f"/executions/{id}/abort",
                    "fields": [],
                    "word": "Abort it",
                    "back": f"/executions/{id}",
                },
            )
            return await self._pages.answer(request, view)
        await self._change("cancel", ids=[id], is_forced=True)
        return to(f"/executions/{id}?done=aborting")

    async def reschedule(self, request: Request) -> Response:
        """Give what waits another time."""
        id = request.path_params["id"]
        when = moment_in(await read_form(request), "when")
        await self._change("reschedule", ids=[id], scheduled_us=None if when is None else to_microseconds(when))
        return to(f"/executions/{id}?done=rescheduled")

    async def _change(self, name: str, **parameters: Any) -> None:
        """Make a change of one execution; raise what it was refused for."""
        (told,) = await self._backend.ask(name, **parameters)
        msgspec.convert(told, Change).changed()


def to(path: str) -> Response:
    """Return the answer that leads from a form to a page."""
    return RedirectResponse(path, 303)
