"""A beat for the watchdog has gone through the writer, and a store that refuses does not hold it up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from defer_cli.domain.errors import StoreError
from defer_cli.domain.states import State
from defer_cli.engine.supervised import Supervised
from defer_cli.engine.vitals import Vitals
from defer_cli.link.notify import ServiceManager
from defer_cli.reports import Reports
from defer_cli.store.writer import Writer


class Ear(ServiceManager):
    """Keeps what it is told."""

    def __init__(self) -> None:
        super().__init__("/nowhere", watchdog_seconds=0.002)
        self.heard: list[dict[str, str | int]] = []
        self.came = asyncio.Event()

    def tell(self, **words: str | int) -> None:
        self.heard.append(words)
        self.came.set()

    async def until(self, is_so: Callable[[dict[str, str | int]], object], *, times: int = 1) -> None:
        async with asyncio.timeout(10):
            while sum(bool(is_so(one)) for one in self.heard) < times:
                self.came.clear()
                await self.came.wait()


class Parts:
    """A writer, the vitals and the reports of a runner, as far as they are asked."""

    why_refused: str | None = None

    def __init__(self) -> None:
        self.asked = 0
        self.answer: Callable[[], object] = lambda: None
        self.counts = {("a", State.CREATED): 1_200, ("a", State.STARTED): 2, ("b", State.ABORTING): 1}

    async def submit(self, work: Callable[[Any], object]) -> object:
        self.asked += 1
        answer = self.answer()
        return await answer if isinstance(answer, asyncio.Future) else work(answer)

    async def read(self, question: Callable[[Any], object]) -> object:
        return question(type("Counting", (), {"counts": lambda _: self.counts})())


def supervised(ear: Ear | None, parts: Parts) -> Supervised:
    return Supervised(
        ear, cast(Writer, parts), cast(Vitals, parts), cast(Reports, parts), functions=lambda: {"a": 1, "b": 2}
    )


async def test_each_beat_has_gone_through_the_writer() -> None:
    ear, parts = Ear(), Parts()
    one = supervised(ear, parts)
    one.ready()
    await ear.until(lambda words: "WATCHDOG" in words, times=3)
    one.end()

    assert parts.asked >= 3


async def test_a_writer_that_does_not_answer_is_not_vouched_for() -> None:
    ear, parts = Ear(), Parts()
    parts.answer = asyncio.get_running_loop().create_future
    one = supervised(ear, parts)
    one.ready()
    await ear.until(lambda words: "functions" in str(words.get("STATUS")))
    one.end()

    assert parts.asked == 1
    assert not any("WATCHDOG" in words for words in ear.heard)


async def test_a_store_that_refuses_is_waited_for_not_killed() -> None:
    ear, parts = Ear(), Parts()

    def refuse() -> object:
        raise StoreError("the disk is full")

    parts.answer, parts.why_refused = refuse, "the store takes nothing: the disk is full"
    one = supervised(ear, parts)
    one.ready()
    await ear.until(lambda words: "WATCHDOG" in words, times=3)
    await ear.until(lambda words: words.get("STATUS") == "the store takes nothing: the disk is full")
    one.end()


@pytest.mark.parametrize(
    ("is_stopping", "line"),
    [(False, "functions: 2; 3 running, 1,200 queued"), (True, "stopping; 3 running, 1,200 queued")],
    ids=["alive", "stopping"],
)
async def test_its_line_says_what_it_does(is_stopping: bool, line: str) -> None:
    ear = Ear()
    one = supervised(ear, Parts())
    one.ready()
    if is_stopping:
        one.stopping()
    await ear.until(lambda words: words.get("STATUS") == line)
    one.end()


async def test_nobody_is_told_where_nobody_supervises() -> None:
    parts = Parts()
    one = supervised(None, parts)
    one.ready()
    one.stopping()
    one.end()

    assert parts.asked == 0
