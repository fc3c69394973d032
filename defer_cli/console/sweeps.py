"""Changes of many executions, step by step in the background; kept in memory, while the runner runs."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any

from starlette.exceptions import HTTPException

from defer_cli.changes import MOST_AT_ONCE
from defer_cli.console.words import STATE_WORDS
from defer_cli.domain.errors import DeferError, ExecutionNotFound
from defer_cli.domain.ids import random_id
from defer_cli.domain.paging import cursor_at, position_of
from defer_cli.web.backend import Backend

MOST_RUNNING = 2
_MOST_KEPT = 20
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be done, with which executions: those of ``ids``, or all that pass one of ``filters``, in turn.

    ``border`` is the cursor of the newest execution when it was asked for: what came later is left alone.
    """

    do: str
    total: int
    is_more: bool = False
    """Whether there are more than ``total``: nobody counted further."""
    ids: Sequence[str] = ()
    filters: Sequence[Mapping[str, Any]] = ()
    border: str | None = None
    words: str = ""
    """What is common to all of them."""

    @property
    def is_small(self) -> bool:
        """Whether one step is enough."""
        return self.total <= MOST_AT_ONCE and not self.is_more


class Sweep:
    """One change of many, on its way or over: how far it is, and what was refused, by reason."""

    def __init__(self, backend: Backend, wish: Wish) -> None:
        self.id = random_id()
        self.wish = wish
        self.done = 0
        self.refused: Counter[str] = Counter()
        self.started_us = backend.now_us()
        self.ended_us: int | None = None
        self.is_stopping = False
        self.problem: str | None = None
        self._backend = backend

    @property
    def seen(self) -> int:
        """How many were looked at, done or refused."""
        return self.done + self.refused.total()

    def shown(self) -> Sweep:
        """Return how it is now, to be drawn in a thread while it goes on."""
        now = copy(self)
        now.refused = self.refused.copy()
        return now

    async def run(self) -> None:
        """Do it, in steps of one transaction each: whatever ends it, each execution is changed as a whole, or not."""
        try:
            ids = self.wish.ids
            for start in range(0, len(ids), MOST_AT_ONCE):
                if not self._is_over:
                    await self._change(ids[start : start + MOST_AT_ONCE])
            for filters in self.wish.filters:
                await self._walk(filters)
        except DeferError as error:
            self.problem = error.problem
        except Exception:
            _log.exception("a change of many executions broke off")
            self.problem = "Something went wrong in defer; its log says what."
        finally:
            self.ended_us = self._backend.now_us()

    def stop(self) -> None:
        """End it after the step under way."""
        self.is_stopping = self.ended_us is None

    @property
    def _is_over(self) -> bool:
        """Whether no other step is to be begun: it is stopped, or the runner stops."""
        return self.is_stopping or self._backend.streams.closing.is_set()

    async def _walk(self, filters: Mapping[str, Any]) -> None:
        """Change what passes, page by page, oldest first: the order in which they were called."""
        assert self.wish.border is not None
        behind_it = cursor_at(position_of(self.wish.border, where="border") + 1)
        before: str | None = None
        while not self._is_over:
            page = {"last": MOST_AT_ONCE, "after": behind_it, "before": before}
            found = await self._backend.ask("executions", page=page, filters=filters)
            if found["items"]:
                await self._change([one["id"] for one in reversed(found["items"])])
            if not found["page_info"]["has_prev_page"]:
                return
            before = found["page_info"]["start_cursor"]

    async def _change(self, ids: Sequence[str]) -> None:
        if self.wish.do == "rerun":
            told = await self._backend.ask("rerun", pairs=[(id, random_id()) for id in ids])
        else:
            told = await self._backend.ask("cancel", ids=ids, is_forced=self.wish.do == "abort")
        for one in told:
            refusal = one["refusal"]
            if refusal is None:
                self.done += 1
            else:
                self.refused[_reason(refusal)] += 1


class Sweeps:
    """Those on their way, at most two, and the last ones that are over."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._known: dict[str, Sweep] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def running(self) -> list[Sweep]:
        """Those on their way, as they are now."""
        return [one.shown() for one in self._known.values() if one.ended_us is None]

    @property
    def is_full(self) -> bool:
        """Whether no other one may begin."""
        return len(self.running) >= MOST_RUNNING

    def get(self, id: str) -> Sweep:
        """Return one; raise ``HTTPException``."""
        found = self._known.get(id)
        if found is None:
            raise HTTPException(404, f"There is no such change. A runner keeps the last {_MOST_KEPT} while it runs.")
        return found

    def begin(self, wish: Wish) -> tuple[Sweep, asyncio.Task[None]]:
        """Begin to fulfil a wish; return the sweep, and the task that ends with it."""
        sweep = Sweep(self._backend, wish)
        over = [id for id, one in self._known.items() if one.ended_us is not None]
        for id in over[: max(len(self._known) + 1 - _MOST_KEPT, 0)]:
            del self._known[id]
        self._known[sweep.id] = sweep
        task = asyncio.get_running_loop().create_task(sweep.run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return sweep, task


def _reason(refusal: Mapping[str, Any]) -> str:
    """Return why one was refused, the same words for the same reason."""
    if refusal["state"] is not None:
        return f"{STATE_WORDS[refusal['state']]} already"
    if refusal["kind"] == ExecutionNotFound.__name__:
        return "gone: pruned, or never there"
    return str(refusal["problem"])
