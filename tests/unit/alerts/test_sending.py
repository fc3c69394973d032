"""Each message leaves once, in its time, and what became of it is on disk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from defer_cli.alerts.channels import Delivered, NotDelivered, Outcome, Uncertain
from defer_cli.alerts.messages import Told
from defer_cli.alerts.sending import Fate, Sending
from defer_cli.domain.alert import Alert, AlertKind, Grouping, News, Undelivered
from defer_cli.store.contract import Store
from defer_cli.store.sqlite import open_reader
from tests.store.harness import NOON, SECOND
from tests.unit.alerts.building import FAILURE, SENDER
from tests.unit.store.harness import Desk

DEADLINE_SECONDS = 20.0
DAY = 86_400
BRIEF = Grouping(window=timedelta(milliseconds=120))


class Post:
    """A channel that answers as it is told, the last answer for good."""

    name = "post"

    def __init__(self, *answers: Outcome | Exception, knows_repeats: bool = False) -> None:
        self.answers = list(answers) or [Delivered()]
        self.knows_repeats = knows_repeats
        self.messages: list[tuple[str, list[str]]] = []

    def send(self, told: Sequence[Told], *, id: str, at: float) -> Outcome:
        self.messages.append((id, [one.alert.function for one in told]))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


class Bench:
    """A writer on a real store, a channel, and a clock that may be set ahead."""

    def __init__(self, path: Path, post: Post, grouping: Grouping) -> None:
        self.post = post
        self.grouping = grouping
        self.desk = Desk(path)
        self.writer = self.desk.writer
        self.ahead_us = 0
        self.fates: list[Fate] = []
        self._heard = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self.sending = self.make()

    def make(self) -> Sending:
        return Sending(
            self.post,
            self.writer,
            describe=self._describe,
            grouping=self.grouping,
            clock=self.now,
            on_fate=self._hear,
            steady=lambda: self.now() / SECOND,
        )

    def now(self) -> int:
        return NOON + self.ahead_us + int((self._loop.time() - self._began) * SECOND)

    async def _describe(self, alerts: Sequence[Alert]) -> list[Told]:
        return [Told(alert, SENDER) for alert in alerts]

    def _hear(self, fate: Fate) -> None:
        self.fates.append(fate)
        self._heard.set()

    async def add(self, *functions: str, kind: AlertKind = AlertKind.FAILURE, count: int = 1) -> None:
        now_us = self.now()
        news = [
            News(kind=kind, function=name, count=count, first_us=now_us, last_us=now_us, facts=FAILURE)
            for name in functions
        ]
        await self.do(lambda store: store.outbox.add(news, channels=["post"], grouping=self.grouping))
        self.sending.ring()

    async def do(self, work: Callable[[Store], Any]) -> Any:
        return await self.writer.submit(work)

    async def until(self, fates: int) -> list[str]:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while len(self.fates) < fates:
                self._heard.clear()
                await self._heard.wait()
        return [fate.outcome for fate in self.fates]

    def undelivered(self) -> Undelivered:
        reader = open_reader(self.desk.path)
        try:
            return reader.undelivered(since_us=0)
        finally:
            reader.close()


@asynccontextmanager
async def bench(
    tmp_path: Path, *answers: Outcome | Exception, grouping: Grouping = BRIEF, knows_repeats: bool = False
) -> AsyncIterator[Bench]:
    made = Bench(tmp_path / "defer.db", Post(*answers, knows_repeats=knows_repeats), grouping)
    made.writer.start()
    made.sending.start()
    try:
        yield made
    finally:
        await made.sending.stop(seconds=DEADLINE_SECONDS, hurry=asyncio.Event())
        await made.writer.stop()


async def test_an_alert_is_sent_once(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        await it.add("a", count=3)
        assert await it.until(1) == ["sent"]

    assert [functions for _, functions in it.post.messages] == [["a"]]
    assert it.fates == [Fate(channel="post", kind="failure", function="a", count=3)]
    assert it.undelivered() == Undelivered()


@pytest.mark.parametrize(
    "answer", [NotDelivered(problem="no"), RuntimeError("https://very-secret")], ids=["no", "a bug"]
)
async def test_what_did_not_arrive_is_sent_again_as_the_same(answer: Outcome | Exception, tmp_path: Path) -> None:
    async with bench(tmp_path, answer, Delivered()) as it:
        await it.add("a")
        assert await it.until(2) == ["retried", "sent"]

    (first, _), (second, _) = it.post.messages
    assert first == second
    assert "very-secret" not in str(it.fates)


async def test_a_day_of_tries_is_enough(tmp_path: Path) -> None:
    async with bench(tmp_path, NotDelivered(problem="it answered 500")) as it:
        await it.add("a")
        await it.until(1)
        it.ahead_us = (DAY + 1) * SECOND
        it.sending.ring()
        assert await it.until(2) == ["retried", "given_up"]

    assert it.undelivered() == Undelivered(given_up=1, problem="it answered 500")


async def test_what_may_have_arrived_is_not_repeated_where_nobody_could_tell(tmp_path: Path) -> None:
    async with bench(tmp_path, Uncertain(problem="no answer")) as it:
        await it.add("a")
        assert await it.until(1) == ["given_up"]

    assert it.fates[0].problem == "no answer: it may have arrived"
    assert len(it.post.messages) == 1


async def test_what_may_have_arrived_is_repeated_where_it_can_be_told(tmp_path: Path) -> None:
    async with bench(tmp_path, Uncertain(problem="no answer"), Delivered(), knows_repeats=True) as it:
        await it.add("a")
        assert await it.until(2) == ["retried", "sent"]

    assert len({id for id, _ in it.post.messages}) == 1


async def test_a_message_that_is_wrong_itself_holds_up_no_other(tmp_path: Path) -> None:
    wrong = NotDelivered(problem="it answered 400", retry_after=timedelta(hours=1), is_its_own=True)
    async with bench(tmp_path, wrong, Delivered()) as it:
        await it.add("a")
        await it.until(1)
        await it.add("b")
        assert await it.until(2) == ["retried", "sent"]

    assert [functions for _, functions in it.post.messages] == [["a"], ["b"]]


async def test_a_channel_that_takes_nothing_is_left_alone_for_all(tmp_path: Path) -> None:
    async with bench(tmp_path, NotDelivered(problem="no", retry_after=timedelta(hours=1)), Delivered()) as it:
        await it.add("a")
        await it.until(1)
        await it.add("b")
        it.ahead_us = 1_800 * SECOND
        it.sending.ring()
        await it.do(lambda store: None)
        assert len(it.post.messages) == 1
        it.ahead_us = 3_700 * SECOND
        it.sending.ring()
        assert await it.until(3) == ["retried", "sent", "sent"]


@pytest.mark.parametrize(("knows_repeats", "outcome"), [(False, "given_up"), (True, "sent")])
async def test_what_was_going_out_when_a_runner_was_killed(knows_repeats: bool, outcome: str, tmp_path: Path) -> None:
    made = Bench(tmp_path / "defer.db", Post(knows_repeats=knows_repeats), BRIEF)
    made.writer.start()
    await made.add("a")
    (alert,) = await made.do(lambda store: store.outbox.due("post", now_us=NOON + DAY * SECOND, limit=1))
    await made.do(lambda store: store.outbox.begin([alert], message="m1", at_us=NOON))
    made.sending.start()
    assert await made.until(1) == [outcome]
    await made.sending.stop(seconds=DEADLINE_SECONDS, hurry=asyncio.Event())
    await made.writer.stop()

    assert made.post.messages == ([("m1", ["a"])] if knows_repeats else [])


async def test_a_stop_sends_what_waits(tmp_path: Path) -> None:
    async with bench(tmp_path, grouping=Grouping()) as it:
        await it.add("a", "b")
        await it.add("a", kind=AlertKind.RECOVERY)
        assert it.fates == []

    assert [fate.outcome for fate in it.fates] == ["sent"] * 3


async def test_a_stop_tries_once_what_does_not_arrive(tmp_path: Path) -> None:
    async with bench(tmp_path, NotDelivered(problem="no"), grouping=Grouping()) as it:
        await it.add("a", "b")

    assert [fate.outcome for fate in it.fates] == ["retried"]
    assert it.undelivered().waiting == 2


async def test_what_became_of_a_message_is_written_however_often_the_store_refuses(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        send = it.post.send

        def break_store(told: Sequence[Told], *, id: str, at: float) -> Outcome:
            it.desk.store.failure = OSError("no room")
            it._loop.call_soon_threadsafe(it._loop.call_later, 0.2, mend)
            return send(told, id=id, at=at)

        def mend() -> None:
            it.desk.store.failure = None

        it.post.send = break_store  # type: ignore[method-assign]
        await it.add("a")
        assert await it.until(1) == ["sent"]

    assert len(it.post.messages) == 1
    assert it.undelivered() == Undelivered()


async def test_many_functions_at_once_share_messages(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        await it.add(*[f"f{number}" for number in range(50)], count=200)
        await it.until(3)

    assert [len(functions) for _, functions in it.post.messages] == [20, 20, 10]
    assert sum(fate.count for fate in it.fates) == 10_000
    assert it.fates[0].function == "f0, f1, f2 and 17 more"


async def test_an_alert_that_cannot_be_described_is_tried_again(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        describe = it._describe

        async def fail(alerts: Sequence[Alert]) -> list[Told]:
            it.sending._describe = describe
            raise ValueError

        it.sending._describe = fail
        await it.add("a")
        assert await it.until(2) == ["retried", "sent"]

    assert it.fates[0].problem == "it could not be written (ValueError)"


async def test_what_comes_while_a_message_leaves_is_in_the_next(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        for _ in range(200):
            await it.add("a")
        async with asyncio.timeout(DEADLINE_SECONDS):
            while sum(fate.count for fate in it.fates) < 200:
                it._heard.clear()
                await it._heard.wait()

    assert len(it.fates) < 100


@pytest.mark.parametrize("seconds", [-7_200, 7_200])
async def test_a_clock_that_is_set_neither_stops_nor_hurries_messages(seconds: int, tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        it.sending._steady = it._loop.time
        await it.add("a")
        await it.until(1)
        it.ahead_us = seconds * SECOND
        await it.add("b")
        assert await it.until(2) == ["sent", "sent"]
