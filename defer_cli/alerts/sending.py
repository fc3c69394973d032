"""Takes alerts out of the outbox, one message at a time, and sends them through one channel."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from threading import Thread

from defer_cli.alerts.channels import Channel, Delivered, NotDelivered, Outcome, Uncertain
from defer_cli.alerts.messages import Told
from defer_cli.alerts.policy import KEPT_FOR, MOST_TOGETHER, free_at_us, is_given_up, next_message, wait_before
from defer_cli.domain.alert import Alert, Grouping
from defer_cli.domain.errors import StoreError
from defer_cli.domain.ids import random_id
from defer_cli.store.contract import Store
from defer_cli.store.writer import Writer

_SECOND_US = 1_000_000
_LONGEST_REST_US = 30 * _SECOND_US
_BREATH_US = _SECOND_US // 10
_AGAIN_US = _SECOND_US // 2
_NEVER_US = 365 * 86_400 * _SECOND_US
_TIDY_US = 3_600 * _SECOND_US
_MOST_NAMED = 3
_MICROSECOND = timedelta(microseconds=1)
_dice = random.random
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What became of one try to send a message."""

    channel: str
    kind: str
    function: str
    """The first few of them, in words."""
    count: int
    problem: str = ""
    again_in_seconds: float | None = None

    @property
    def outcome(self) -> str:
        """``sent``, ``retried`` or ``given_up``."""
        return "sent" if not self.problem else "given_up" if self.again_in_seconds is None else "retried"


class Sending:
    """One channel's messages, one after the other, each on disk before it leaves and after it has arrived.

    All methods belong to the event loop; a thread waits for the other side.
    """

    def __init__(
        self,
        channel: Channel,
        writer: Writer,
        *,
        describe: Callable[[Sequence[Alert]], Awaitable[list[Told]]],
        grouping: Grouping,
        clock: Callable[[], int],
        on_fate: Callable[[Fate], None],
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._channel = channel
        self._writer = writer
        self._describe = describe
        self._window_us = grouping.window_us
        self._clock = clock
        self._on_fate = on_fate
        self._steady = steady
        self._bell = asyncio.Event()
        self._left_us: deque[int] = deque(maxlen=100)
        self._rest_until_us = 0
        self._failures = 0
        self._tidied_us = 0
        self._is_stopping = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Send from now on."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    def ring(self) -> None:
        """Look: there is news."""
        self._bell.set()

    async def stop(self, *, seconds: float, hurry: asyncio.Event) -> None:
        """Send what waits, each message once, no longer than ``seconds``; what is left goes with the next runner."""
        if self._task is None:
            return
        self._is_stopping = True
        self._bell.set()
        hurrying = asyncio.ensure_future(hurry.wait())
        await asyncio.wait([self._task, hurrying], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        hurrying.cancel()
        self._task.cancel()
        await asyncio.wait([self._task, hurrying])

    async def _run(self) -> None:
        has_begun = False
        while True:
            self._bell.clear()
            try:
                if not has_begun:
                    await self._take_up()
                    has_begun = True
                wait_us = await self._send_next()
            except StoreError:  # the writer tells of it
                wait_us = _AGAIN_US
            except Exception:
                _log.exception("alerts could not be looked at, they are again in half a minute")
                wait_us = _LONGEST_REST_US
            if self._is_stopping and (self._failures or wait_us > self._window_us):
                return
            if wait_us > 0:
                await self._rest(wait_us)

    async def _rest(self, wait_us: int) -> None:
        try:
            async with asyncio.timeout(min(wait_us, _LONGEST_REST_US) / _SECOND_US):
                await self._bell.wait()
                await asyncio.sleep(_BREATH_US / _SECOND_US)  # a flood rings at every commit
        except TimeoutError:
            pass

    async def _take_up(self) -> None:
        """Decide about what was going out when the last runner was killed."""
        name, now_us = self._channel.name, self._clock()
        for message in await self._writer.submit(lambda store: store.outbox.interrupted(name)):
            problem = "the runner ended while it was being sent"
            if self._channel.knows_repeats:
                await self._put_off(message, now_us, problem)
            else:
                fate = Fate(channel=name, kind="", function="", count=0, problem=f"{problem}: it may have arrived")
                await self._give_up(message, fate)

    async def _send_next(self) -> int:
        """Send the next message when its time has come; return for how long there is nothing to do after that."""
        free_us = max(self._rest_until_us, free_at_us(self._left_us, window_us=self._window_us))
        if free_us > self._steady_us():
            return free_us - self._steady_us()
        now_us, fresh = self._clock(), f"msg_{random_id()}"
        alerts, next_us = await self._writer.submit(lambda store: self._take(store, now_us, fresh))
        if not alerts:
            return _NEVER_US if next_us is None else max(next_us - now_us, _BREATH_US)
        message = alerts[0].message or fresh
        outcome = await self._tried(alerts, message, now_us / _SECOND_US)
        self._left_us.append(self._steady_us())
        await self._settle(alerts, message, outcome)
        return 0

    def _take(self, store: Store, now_us: int, fresh: str) -> tuple[list[Alert], int | None]:
        """Take what goes next out of the outbox, in one transaction: what comes after that is in the next message."""
        name, outbox = self._channel.name, store.outbox
        if now_us - self._tidied_us > _TIDY_US:
            self._tidied_us = now_us
            outbox.forget(before_us=now_us - KEPT_FOR // _MICROSECOND)
        until_us = now_us + self._window_us if self._is_stopping else now_us
        alerts = next_message(outbox.due(name, now_us=until_us, limit=MOST_TOGETHER))
        if alerts:
            outbox.begin(alerts, message=alerts[0].message or fresh, at_us=now_us)
        return alerts, outbox.next_us(name)

    async def _tried(self, alerts: Sequence[Alert], message: str, at: float) -> Outcome:
        try:
            told = await self._describe(alerts)
        except Exception as error:
            _log.exception("an alert could not be written")
            return NotDelivered(problem=f"it could not be written ({type(error).__name__})", is_its_own=True)
        return await self._send(told, message, at)

    async def _send(self, told: Sequence[Told], message: str, at: float) -> Outcome:
        """Send in a thread that nobody has to wait for when the runner ends."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Outcome] = loop.create_future()

        def tell(outcome: Outcome) -> None:
            if not answer.done():
                answer.set_result(outcome)

        def send() -> None:
            try:
                outcome = self._channel.send(told, id=message, at=at)
            except Exception as error:  # its words may hold the address
                outcome = NotDelivered(problem=f"it could not be written ({type(error).__name__})", is_its_own=True)
            with suppress(RuntimeError):  # the loop has closed
                loop.call_soon_threadsafe(tell, outcome)

        Thread(target=send, name=f"defer-{self._channel.name}", daemon=True).start()
        return await answer

    async def _settle(self, alerts: Sequence[Alert], message: str, outcome: Outcome) -> None:
        now_us = self._clock()
        fate = _fate(self._channel.name, alerts)
        if isinstance(outcome, Delivered):
            self._failures = 0
            await self._write(lambda store: store.outbox.sent(message, at_us=now_us))
            self._on_fate(fate)
            return
        fate = replace(fate, problem=outcome.problem)
        if isinstance(outcome, Uncertain) and not self._channel.knows_repeats:
            self._failures += 1
            self._rest_until_us = self._steady_us() + self._wait_us(self._failures, None)
            await self._give_up(message, replace(fate, problem=f"{outcome.problem}: it may have arrived"))
            return
        is_its_own = isinstance(outcome, NotDelivered) and outcome.is_its_own
        retry_after = outcome.retry_after if isinstance(outcome, NotDelivered) else None
        if is_its_own:
            wait_us = self._wait_us(alerts[0].attempts + 1, retry_after)
        else:
            self._failures += 1
            wait_us = self._wait_us(self._failures, retry_after)
            self._rest_until_us = self._steady_us() + wait_us
        if is_given_up(begun_us=alerts[0].begun_us or now_us, until_us=now_us + wait_us):
            await self._give_up(message, fate)
            return
        await self._put_off(message, now_us + wait_us, fate.problem)
        self._on_fate(replace(fate, again_in_seconds=round(wait_us / _SECOND_US, 3)))

    def _steady_us(self) -> int:
        """Return a clock that is never set: what a clock does to the rows must not be done to the pace as well."""
        return int(self._steady() * _SECOND_US)

    def _wait_us(self, attempt: int, retry_after: timedelta | None) -> int:
        return wait_before(attempt, retry_after=retry_after, dice=_dice) // _MICROSECOND

    async def _put_off(self, message: str, until_us: int, problem: str) -> None:
        await self._write(lambda store: store.outbox.put_off(message, until_us=until_us, problem=problem))

    async def _give_up(self, message: str, fate: Fate) -> None:
        now_us = self._clock()
        await self._write(lambda store: store.outbox.give_up(message, at_us=now_us, problem=fate.problem))
        self._on_fate(fate)

    async def _write(self, work: Callable[[Store], None]) -> None:
        """Write what became of a message, however long the store takes nothing: it must not be sent twice."""
        while True:
            try:
                return await self._writer.submit(work)
            except StoreError as error:
                if error.is_fatal:
                    raise
                await asyncio.sleep(_AGAIN_US / _SECOND_US)


def _fate(channel: str, alerts: Sequence[Alert]) -> Fate:
    kinds = sorted({str(alert.kind) for alert in alerts})
    functions = list(dict.fromkeys(alert.function for alert in alerts if alert.function))
    names = ", ".join(functions[:_MOST_NAMED])
    if len(functions) > _MOST_NAMED:
        names += f" and {len(functions) - _MOST_NAMED} more"
    return Fate(channel=channel, kind=", ".join(kinds), function=names, count=sum(alert.count for alert in alerts))
