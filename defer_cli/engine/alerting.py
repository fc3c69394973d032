"""Alerts in a runner: what is told by whom, through which channels, from its start to its stop."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from socket import gethostname
from typing import Any

from msgspec import structs

from defer_cli.alerts.channels import Channel
from defer_cli.alerts.messages import Sender, Told, shown_arguments
from defer_cli.alerts.recording import Recorder
from defer_cli.alerts.sending import Fate, Sending
from defer_cli.alerts.slack import Slack
from defer_cli.alerts.webhook import Webhook
from defer_cli.domain.alert import Alert, AlertKind, News
from defer_cli.domain.alert_settings import AlertSettings
from defer_cli.domain.function import FunctionSpec
from defer_cli.domain.settle import Move
from defer_cli.domain.ticks import CHANGED
from defer_cli.engine.events import Event, Listener, Note, Reloaded
from defer_cli.reports import Reports
from defer_cli.store.contract import Store
from defer_cli.store.writer import Writer

STOP_SECONDS = 6.0
"""How long a runner that stops waits for messages: a little longer than one may take."""
MISSED = "ticks were missed"


def channels_of(settings: AlertSettings) -> list[Channel]:
    """Return the ways out that were asked for."""
    channels: list[Channel] = []
    if settings.slack_url is not None:
        channels.append(Slack(settings.slack_url))
    if settings.webhook_url is not None and settings.webhook_key is not None:
        channels.append(Webhook(settings.webhook_url, settings.webhook_key))
    return channels


class Alerting:
    """Listens on the way to whoever shows what happens, and sends what people are to be told.

    Outcomes are recorded on the writer's thread, in their own transaction. All other methods belong to the loop.
    """

    def __init__(
        self, settings: AlertSettings, store: Store, listener: Listener, *, project: str, mask: Sequence[str]
    ) -> None:
        self._settings = settings
        self._listener = listener
        self._sender = Sender(project=project, machine=gethostname())
        self._mask = mask
        self._store = store
        self._functions: Mapping[str, FunctionSpec] = {}
        self._channels = channels_of(settings)
        self._sendings: list[Sending] = []
        self._counts = {"sent": 0, "retried": 0, "given_up": 0}
        self._loop = asyncio.get_running_loop()
        self._recorder = Recorder(
            store,
            kinds=settings.on,
            channels=[channel.name for channel in self._channels],
            grouping=settings.grouping,
            on_news=self._ring,
        )
        self.apply = self._recorder.apply
        self._writer: Writer
        self._reports: Reports

    def attach(self, writer: Writer, reports: Reports) -> None:
        """Learn where alerts are kept, and where arguments are read."""
        self._writer = writer
        self._reports = reports

    def set_functions(self, functions: Mapping[str, FunctionSpec]) -> None:
        """Know the functions that run from now on."""
        self._functions = functions
        self._recorder.muted = frozenset(name for name, spec in functions.items() if not spec.options.alert)

    def start(self, url: str | None) -> None:
        """Send from now on; ``url`` is where the runner itself serves its console."""
        self._sender = replace(self._sender, url=self._settings.url or url)
        for channel in self._channels:
            sending = Sending(
                channel,
                self._writer,
                describe=self._described,
                grouping=self._settings.grouping,
                clock=self._store.now,
                on_fate=self._heard_of,
            )
            self._sendings.append(sending)
            sending.start()

    async def stop(self, *, hurry: asyncio.Event) -> None:
        """Send what waits, as far as that is possible at once."""
        await asyncio.gather(*[one.stop(seconds=STOP_SECONDS, hurry=hurry) for one in self._sendings])

    def counts(self) -> dict[str, int]:
        """Return how many messages were sent, retried and given up since the runner began."""
        return dict(self._counts)

    # What happens.

    def settled(self, moves: Sequence[Move]) -> None:
        """Pass on what the recorder has seen already."""
        self._listener.settled(moves)

    def tell(self, event: Event) -> None:
        """Keep a reload and missed ticks to be told, and pass everything on."""
        now_us = self._store.now()
        if isinstance(event, Reloaded):
            self._add(
                News(kind=AlertKind.RELOAD, function="", first_us=now_us, last_us=now_us, facts=structs.asdict(event))
            )
        elif isinstance(event, Note) and event.message == MISSED and event.fields["reason"] != CHANGED:
            facts = dict(event.fields)
            name = str(facts.pop("function"))
            self._add(News(kind=AlertKind.MISSED_TICK, function=name, first_us=now_us, last_us=now_us, facts=facts))
        self._listener.tell(event)

    def _add(self, news: News) -> None:
        if news.kind in self._settings.on:
            self._writer.submit(lambda store: self._recorder.add(store, news)).add_done_callback(_heard)

    def _ring(self) -> None:
        """Called by the writer's thread, before its commit: what is asked of it then comes after that."""
        for sending in self._sendings:
            self._loop.call_soon_threadsafe(sending.ring)

    def _heard_of(self, fate: Fate) -> None:
        self._counts[fate.outcome] += 1
        channel, kind, count, problem = fate.channel, fate.kind or "-", fate.count, fate.problem
        function = fate.function or "-"
        about: dict[str, object] = {"channel": channel, "kind": kind, "function": function, "count": count}
        if not problem:
            self._listener.tell(Note("info", "alert sent", about))
        elif fate.again_in_seconds is None:
            lost: dict[str, object] = {
                "channel": channel,
                "kind": kind,
                "function": function,
                "count": count,
                "problem": problem,
            }
            self._listener.tell(Note("error", "alert given up", lost))
        else:
            late: dict[str, object] = {
                "channel": channel,
                "kind": kind,
                "function": function,
                "count": count,
                "problem": problem,
                "in": fate.again_in_seconds,
            }
            self._listener.tell(Note("warning", "alert is sent again later", late))

    # What is told.

    async def _described(self, alerts: Sequence[Alert]) -> list[Told]:
        return [Told(alert, self._sender, await self._arguments(alert)) for alert in alerts]

    async def _arguments(self, alert: Alert) -> dict[str, Any] | None:
        if not self._settings.arguments or alert.kind is not AlertKind.FAILURE:
            return None
        id = alert.facts["id"]
        payload = await self._reports.read(lambda reader: reader.payload(id))
        if payload is None:
            return None
        return shown_arguments(payload[0], self._functions.get(alert.function), self._mask)


def _heard(future: asyncio.Future[None]) -> None:
    """The writer tells of a store that takes nothing; the log has what was to be told."""
    if not future.cancelled():
        future.exception()
