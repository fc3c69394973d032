"""What is asked about a call comes after it, however long the disk takes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_asyncio
from msgspec import Struct

from defer_cli.domain.enqueue import Enqueue
from defer_cli.domain.ids import random_id
from defer_cli.engine.dispatcher import Dispatcher
from defer_cli.engine.requests import Requests
from defer_cli.intake import Intake
from defer_cli.link.frames import Answer, Ask, Enqueued, Enqueues, Failure, Wait
from defer_cli.reports import Reports
from defer_cli.store.contract import Store
from defer_cli.store.sqlite import open_reader, open_store
from defer_cli.store.writer import Writer
from defer_cli.workers.pool import Pool
from tests.unit.engine.harness import FakeListener, FakePool, spec

DEADLINE_SECONDS = 20.0
CALLS = 10


class Slow(Reports):
    """Says when something was not found at first."""

    def __init__(self, path: Path) -> None:
        super().__init__(lambda: open_reader(path))
        self.asked = 0
        self.was_asked = asyncio.Event()

    async def ask(self, name: str, parameters: Mapping[str, Any]) -> Any:
        try:
            return await super().ask(name, parameters)
        finally:
            self.asked += 1
            self.was_asked.set()


class Office:
    """Requests before a store whose disk is as slow as the test wants it."""

    def __init__(self, folder: Path) -> None:
        store = open_store(folder / "defer.db")
        self.disk = threading.Event()
        self.reports = Slow(folder / "defer.db")
        self.replies: asyncio.Queue[Struct] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self.dispatcher = dispatcher = Dispatcher(slots=1, listener=FakeListener(), clock=store.now)
        self.writer = Writer(
            store,
            runner="a",
            on_claim=dispatcher.claimed,
            on_applied=dispatcher.applied,
            on_fatal=lambda error: None,
        )
        dispatcher.attach(self.writer, cast("Pool", FakePool([spec()])))
        self.requests = Requests(Intake(self.writer), dispatcher, self.reports)
        self.writer.start()

    def block(self) -> None:
        """Let the disk take as long as the test wants."""
        self.writer.submit(self._wait)

    def _wait(self, store: Store) -> None:
        assert self.disk.wait(DEADLINE_SECONDS)

    def send(self, message: Struct) -> None:
        self.replies.put_nowait(message)

    def send_from_thread(self, message: Struct) -> None:
        self._loop.call_soon_threadsafe(self.send, message)

    async def reply(self) -> Any:
        async with asyncio.timeout(DEADLINE_SECONDS):
            return await self.replies.get()


@pytest_asyncio.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    office = Office(tmp_path)
    yield office
    office.disk.set()
    office.reports.close()
    await office.writer.stop()


@pytest.fixture
def ids() -> list[str]:
    return [random_id() for _ in range(CALLS)]


def enqueue(office: Office, ids: list[str]) -> None:
    """Make each call in a frame of its own."""
    for number, id in enumerate(ids, start=1):
        office.requests.take(Enqueues(number, [Enqueue(id, "compute", b"[]", 1)]), office)


@pytest.mark.parametrize("place", [0, -1])
async def test_a_call_that_is_not_on_disk_yet_is_known(office: Office, ids: list[str], place: int) -> None:
    office.block()
    enqueue(office, ids)
    office.requests.take(Ask(99, "execution", {"id": ids[place]}), office)
    async with asyncio.timeout(DEADLINE_SECONDS):
        await office.reports.was_asked.wait()  # it was not found
    assert office.replies.empty()
    office.disk.set()
    replies = [await office.reply() for _ in range(CALLS + 1)]

    assert [type(one) for one in replies] == [Enqueued] * CALLS + [Answer]
    assert replies[-1].value["id"] == ids[place]
    assert office.reports.asked == 2


@pytest.mark.parametrize("change", ["cancel", "reschedule"])
async def test_a_call_that_is_not_on_disk_yet_can_be_changed(office: Office, ids: list[str], change: str) -> None:
    office.block()
    enqueue(office, ids)
    office.requests.take(Ask(99, change, {"ids": ids}), office)
    office.disk.set()
    replies = [await office.reply() for _ in range(CALLS + 1)]
    (answer,) = [one for one in replies if isinstance(one, Answer)]

    assert [one["refusal"] for one in answer.value] == [None] * CALLS


async def test_what_was_cancelled_before_it_was_on_disk_is_not_waited_for(office: Office, ids: list[str]) -> None:
    office.block()
    enqueue(office, ids[:1])
    office.requests.take(Ask(98, "cancel", {"ids": ids[:1]}), office)
    office.requests.take(Wait(99, ids[0]), office)
    office.disk.set()
    states = {reply.number: getattr(reply, "state", None) for reply in [await office.reply() for _ in range(3)]}

    assert states[99] == "cancelled"


async def test_what_nobody_called_is_not_found(office: Office) -> None:
    office.requests.take(Ask(1, "execution", {"id": random_id()}), office)
    office.requests.take(Wait(2, random_id()), office)
    replies = [await office.reply() for _ in range(2)]

    assert [(type(one), one.kind) for one in replies] == [(Failure, "ExecutionNotFound")] * 2


async def test_crons_heed_a_pause_before_it_is_answered(office: Office) -> None:
    heard: list[dict[str, int]] = []

    async def heed() -> None:
        heard.append(await office.writer.submit(lambda store: store.paused()))

    requests = Requests(Intake(office.writer), office.dispatcher, office.reports, heed_pauses=heed)
    for change in ("pause", "pause", "resume", "resume"):
        await requests.answer(change, {"names": ["weekly"]})

    assert [list(paused) for paused in heard] == [["weekly"], []]
