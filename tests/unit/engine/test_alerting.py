"""What a runner tells people of beside its outcomes, and to whom it passes everything on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from defer_cli.alerts.slack import Slack
from defer_cli.alerts.webhook import Webhook
from defer_cli.domain.alert import AlertKind
from defer_cli.domain.alert_settings import AlertSettings
from defer_cli.domain.function import FunctionOptions, FunctionSpec
from defer_cli.domain.settle import Move
from defer_cli.engine.alerting import MISSED, Alerting, channels_of
from defer_cli.engine.events import Event, Note, Reloaded
from defer_cli.reports import Reports
from defer_cli.store.sqlite import open_reader
from tests.process.receiver import Receiver
from tests.unit.alerts.building import move
from tests.unit.engine.cron_bench import Bench, cron
from tests.unit.store.harness import Desk

URL = "http://127.0.0.1:1/"
RELOADED = Reloaded(changed="a.py", outcome="a reloaded", functions=1, seconds=0.1)
MISSED_NOTE = Note("warning", MISSED, {"function": "brief", "after": "a", "until": "b", "reason": "no runner was up"})


class Heard:
    """Whoever shows what happens."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.moves: list[Move] = []

    def settled(self, moves: Sequence[Move]) -> None:
        self.moves += moves

    def tell(self, event: Event) -> None:
        self.events.append(event)


@asynccontextmanager
async def alerting(
    tmp_path: Path, url: str, *on: AlertKind, muted: Sequence[str] = ()
) -> AsyncIterator[tuple[Alerting, Heard]]:
    desk, heard = Desk(tmp_path / "defer.db"), Heard()
    made = Alerting(AlertSettings(slack_url=url, on=on), desk.store, heard, project="shop", mask=())
    reports = Reports(lambda: open_reader(desk.path))
    made.attach(desk.writer, reports)
    desk.writer.start()
    made.set_functions(
        {
            name: FunctionSpec(
                name=name, kind="cron", module=name, file="", line=1, options=FunctionOptions(alert=False)
            )
            for name in muted
        }
    )
    made.start(None)
    yield made, heard
    await made.stop(hurry=asyncio.Event())
    reports.close()
    await desk.writer.stop()


def test_each_address_is_a_channel() -> None:
    assert channels_of(AlertSettings()) == []
    both = channels_of(AlertSettings(slack_url=URL, webhook_url=URL, webhook_key=bytes(24)))

    assert [type(channel) for channel in both] == [Slack, Webhook]


async def test_reloads_and_missed_ticks_are_told_where_they_are_asked_for(tmp_path: Path) -> None:
    with Receiver() as receiver:
        async with alerting(tmp_path, receiver.url, AlertKind.RELOAD, AlertKind.MISSED_TICK) as (it, heard):
            it.tell(RELOADED)
            it.tell(MISSED_NOTE)
            it.tell(Note("info", "something else"))
    texts = " ".join(mail.text for mail in receiver.came)

    assert "changed a.py → a reloaded" in texts
    assert "`brief()` missed ticks*\nafter a, until b: no runner was up" in texts
    assert len(receiver.came) == 2
    assert [event for event in heard.events if event in (RELOADED, MISSED_NOTE)] == [RELOADED, MISSED_NOTE]
    assert Note("info", "something else") in heard.events


async def test_crons_tell_of_what_they_missed_in_the_words_that_are_heard(tmp_path: Path) -> None:
    crons = Bench("2026-11-01 12:00")
    await crons.start(cron("0 8 * * *"))
    crons.set_clock("2026-11-23 12:00")
    await crons.start(cron("0 8 * * *"))
    await crons.start(cron("0 9 * * *"))  # another schedule: nothing was missed
    with Receiver() as receiver:
        async with alerting(tmp_path, receiver.url, AlertKind.MISSED_TICK) as (it, _):
            for note in crons.told.notes:
                it.tell(note)

    (mail,) = receiver.came
    assert "after 2026-11-01T12:00:00+00:00, until 2026-11-2" in mail.text


async def test_nothing_else_is_told(tmp_path: Path) -> None:
    with Receiver() as receiver:
        async with alerting(tmp_path, receiver.url, AlertKind.MISSED_TICK, muted=["brief"]) as (it, heard):
            it.tell(RELOADED)
            it.tell(MISSED_NOTE)
            it.settled([move("fail")])
            assert it.counts() == {"sent": 0, "retried": 0, "given_up": 0}

    assert receiver.came == []
    assert len(heard.moves) == 1


async def test_what_becomes_of_messages_is_told_and_counted(tmp_path: Path) -> None:
    with Receiver() as receiver:
        async with alerting(tmp_path, receiver.url, AlertKind.RELOAD) as (it, heard):
            it.tell(RELOADED)
    about = {"channel": "slack", "kind": "reload", "function": "-", "count": 1}

    assert heard.events[-1] == Note("info", "alert sent", about)
    assert it.counts() == {"sent": 1, "retried": 0, "given_up": 0}
