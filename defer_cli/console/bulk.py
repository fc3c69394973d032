"""Many executions changed at once: asked once, with their number; done at once where they are few."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from defer_cli.console.changing import to
from defer_cli.console.filters import LIST, Asked, Pair, address, read_filters
from defer_cli.console.forms import Form, read_form
from defer_cli.console.pages import Pages
from defer_cli.console.sweeps import MOST_RUNNING, Sweeps, Wish
from defer_cli.console.views import View
from defer_cli.console.words import plural
from defer_cli.domain.errors import ExecutionNotCancellable, SettingError
from defer_cli.domain.execution import to_moment
from defer_cli.domain.paging import cursor_at, position_of
from defer_cli.domain.states import State
from defer_cli.figures import MOST_COUNTED
from defer_cli.web.backend import Backend

_PATIENCE_SECONDS = 2.0
_CONTROLS = frozenset({"do", "id", "scope", "border", "sure", "back"})


class Deed(NamedTuple):
    """What may be done with many: its words, and the states it makes sense for, one after the other."""

    word: str
    detail: str
    past: str
    done: str
    """The notice of it."""
    states: Sequence[State]


DEEDS: Mapping[str, Deed] = {
    "rerun": Deed(
        "Rerun",
        "Each is called once more with the same arguments, whatever came of it.",
        "rerun",
        "reran",
        (),
    ),
    "cancel": Deed(
        "Cancel",
        "Only what waits is cancelled. What runs, or has ended, stays as it is.",
        "cancelled",
        "many-cancelled",
        (State.CREATED,),
    ),
    "abort": Deed(
        "Cancel or abort",
        "What waits is cancelled. In what runs CancelledError is raised; 5 s later its process is killed. "
        "None of them is tried again.",
        "cancelled or aborted",
        "many-aborted",
        (State.CREATED, State.STARTED),  # or what waits would take the places that aborts leave
    ),
}


class Bulk:
    """Handlers of the list's forms, and of the pages of sweeps."""

    def __init__(self, backend: Backend, pages: Pages, sweeps: Sweeps) -> None:
        self._backend = backend
        self._pages = pages
        self._sweeps = sweeps

    async def change(self, request: Request) -> Response:
        """Ask whether whoever asks is sure, and say how many there are; or do it."""
        form = await read_form(request)
        deed = DEEDS.get(form.one("do"))
        if deed is None:
            raise SettingError("it is none of rerun, cancel and abort", where="do")
        back = address(parse_qsl(form.one("back")))
        wish, fields = await self._all(form, deed) if form.one("scope") == "all" else _some(form)
        if not form.one("sure"):
            fields = [("do", wish.do), ("back", form.one("back")), *fields]
            return await self._pages.answer(request, _question(deed, wish, fields, back))
        if self._sweeps.is_full:
            raise HTTPException(409, f"{MOST_RUNNING} changes are on their way already. Wait for one, or stop it.")
        sweep, task = self._sweeps.begin(wish)
        if wish.is_small:
            await asyncio.wait({task}, timeout=_PATIENCE_SECONDS)
            if sweep.ended_us is not None and not sweep.refused and sweep.problem is None:
                return to(address([*parse_qsl(form.one("back")), ("done", deed.done), ("n", str(sweep.done))]))
        return to(f"{LIST}/changes/{sweep.id}")

    async def look(self, request: Request) -> View:
        """Return how far a sweep is; raise ``HTTPException``."""
        sweep = self._sweeps.get(request.path_params["id"]).shown()
        deed = DEEDS[sweep.wish.do]
        return View(
            template="sweep.html",
            title=_counted(deed, sweep.wish),
            section="executions",
            data={"sweep": sweep, "wish": sweep.wish, "deed": deed, "heading": _counted(deed, sweep.wish)},
            parts={"sweep": "parts/sweep.html"},
            is_at_rest=sweep.ended_us is not None,
        )

    async def stop(self, request: Request) -> Response:
        """Stop a sweep after the step under way."""
        sweep = self._sweeps.get(request.path_params["id"])
        sweep.stop()
        return to(f"{LIST}/changes/{sweep.id}")

    async def _all(self, form: Form, deed: Deed) -> tuple[Wish, list[Pair]]:
        """Return the wish for all that match, and the fields that ask for the same again."""
        asked = read_filters(
            [pair for pair in form.pairs if pair[0] not in _CONTROLS], to_moment(self._backend.now_us())
        )
        if asked.problems:
            raise SettingError(asked.problems[0])
        border = form.one("border") or await self._newest()
        position_of(border, where="border")
        filters = _narrowed(asked, deed)
        counts = [await self._count(one) for one in filters]
        wish = Wish(
            do=form.one("do"),
            total=sum(count for count, _ in counts),
            is_more=any(is_more for _, is_more in counts),
            filters=filters,
            border=border,
            words=", ".join(f"{chip.name} {chip.value}" for chip in asked.chips),
        )
        if not (wish.total or wish.is_more):
            raise ExecutionNotCancellable(f"Nothing that matches can be {deed.past}.", mend=deed.detail)
        return wish, [("scope", "all"), ("border", border), *asked.fixed_pairs]

    async def _count(self, filters: Mapping[str, Any]) -> tuple[int, bool]:
        """Return how many pass the filters, and whether there are more: counted for longer than a list's are."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + _PATIENCE_SECONDS
        counted, after = 0, None
        while True:
            told = await self._backend.ask("count", filters=filters, most=MOST_COUNTED - counted, after=after)
            counted, after = counted + told["count"], told["end_cursor"]
            if after is None or clock() > deadline:
                return counted, told["is_more"]

    async def _newest(self) -> str:
        """Return the cursor of the newest execution."""
        found = await self._backend.ask("executions", page={"first": 1}, filters={})
        return found["page_info"]["start_cursor"] or cursor_at(0)


def _some(form: Form) -> tuple[Wish, list[Pair]]:
    """Return the wish for those that are named, and the fields that name them again."""
    ids = list(dict.fromkeys(form.all("id")))
    if not ids:
        raise SettingError("No execution is selected.", mend="Tick some rows first, or take all that match.")
    return Wish(do=form.one("do"), total=len(ids), ids=ids), [("id", id) for id in ids]


def _narrowed(asked: Asked, deed: Deed) -> list[dict[str, Any]]:
    """Return what passes the filters and can be changed, one group after the other."""
    if not deed.states:
        return [asked.data()]
    states = [state for state in deed.states if not asked.filters.states or state in asked.filters.states]
    return [{**asked.data(), "states": [str(state)]} for state in states]


def _question(deed: Deed, wish: Wish, fields: Sequence[Pair], back: str) -> View:
    detail = deed.detail
    if not wish.ids:
        detail += f" These are all that match: {wish.words}." if wish.words else " These are all there are."
        detail += " What is called from now on is left alone."
    question = f"{_counted(deed, wish)}?"
    data = {
        "question": question,
        "detail": detail,
        "action": f"{LIST}/change",
        "fields": fields,
        "word": deed.word,
        "back": back,
    }
    return View(template="sure.html", title=question, section="executions", data=data)


def _counted(deed: Deed, wish: Wish) -> str:
    if wish.is_more:  # perhaps none was found in the time there was
        return f"{deed.word} {wish.total:,}+ executions" if wish.total else f"{deed.word} all executions that match"
    return f"{deed.word} {plural(wish.total, 'execution')}"
