"""The one thread of a process that sends its calls: what arrives while a batch is on its way shares the next."""

from __future__ import annotations

from _thread import LockType, allocate_lock, start_new_thread
from collections import deque
from collections.abc import Callable, Collection
from math import inf
from time import monotonic, time_ns

from defer_cli.client.connection import dial, exchange
from defer_cli.client.delivery import LONGEST_WAIT_SECONDS, Delivery, log, settle
from defer_cli.client.lanes import Lane, leads_where
from defer_cli.client.routes import ConnectionLost, may_wait_here, never_wait_here
from defer_cli.client.shipments import Batch, Errand, Shipment
from defer_cli.domain.errors import CallRefused, DeferError, NoRunner
from defer_cli.link.frames import LARGEST_FRAME

MOST_IN_BATCH = 1_000
MOST_IN_FLIGHT = 4
MOST_UNANSWERED = 10_000
_LARGEST_BATCH = LARGEST_FRAME - 256 * 1024
_LARGEST_OPTIONS = 32 * 1024
_LARGEST_NAMES = 512
_PAUSE_AFTER_FAULT_SECONDS = 1.0
_LINGER_SECONDS = 1.0
"""So long the thread stays on the watch when there is nothing to watch: it need not be woken for the next call, whose
deadline is much later."""


class Sender:
    """Takes calls from any thread or signal handler; sends them in order, a batch a frame."""

    def __init__(self, *, on_start: Callable[[], bool] = lambda: True) -> None:
        self._queue: deque[Delivery | Errand] = deque()
        self._bell = allocate_lock()
        self._bell.acquire()
        self._packing = allocate_lock()
        self._is_resting = True
        self._on_start = on_start
        self._is_started = False
        self._is_closing = False
        self._flying: dict[Batch, None] = {}
        self._errands: dict[Errand, None] = {}
        self._again: deque[Shipment] = deque()
        self._room: deque[LockType] = deque()

    # Any thread.

    def put(self, item: Delivery | Errand) -> None:
        """Send ``item``. Takes no lock: a signal handler may call while the thread holds one."""
        if self._is_closing:
            self._send_here(item)
            return
        queue = self._queue
        queue.append(item)
        if self._flying or self._again or len(queue) > 1 or not item.lane.is_open or not self._send_at_once():
            self._ring_if_silent()
        if not self._is_started:
            self._start()

    def ask(self, errand: Errand) -> None:
        """Send ``errand`` after all calls that were put before; its deadline counts from now on."""
        self._errands[errand] = None
        self.put(errand)

    def _send_at_once(self) -> bool:
        """Send on the caller's thread when nothing else is on its way: waking the sender costs more than sending.

        Returns False when the sender has to: it, or a caller that this one interrupted, is packing.
        """
        if not self._packing.acquire(blocking=False):
            return False
        try:
            self._turn()
        finally:
            self._packing.release()
        return not self._is_resting  # it watches the deadlines, so it must know that there is one

    @property
    def is_full(self) -> bool:
        """Whether the next call has to wait for room."""
        return (
            len(self._queue) >= MOST_UNANSWERED - MOST_IN_FLIGHT * MOST_IN_BATCH
            and self.unanswered() >= MOST_UNANSWERED
            and may_wait_here()
        )

    def wait_for_room(self) -> None:
        """Wait until fewer calls are unanswered; raise ``CallRefused`` after a while."""
        if not self._until(lambda: self.unanswered() < MOST_UNANSWERED, LONGEST_WAIT_SECONDS):
            raise CallRefused(
                f"{self.unanswered():,} calls got no answer within {LONGEST_WAIT_SECONDS:g} s; this one was not sent",
                mend="see whether the runner is alive: `defer doctor`",
            )

    def unanswered(self) -> int:
        """Return how many calls are on their way; one that is just being packed may count twice."""
        return len(self._queue) + sum([len(batch.calls) for batch in list(self._flying)])

    def unanswered_on(self, lanes: Collection[Lane]) -> int:
        """Return how many requests are on their way over these lanes."""
        waiting = sum([item.lane in lanes for item in list(self._queue)])
        return waiting + sum([len(batch.calls) for batch in list(self._flying) if batch.lane in lanes])

    def flush(self, lanes: Collection[Lane], seconds: float) -> int:
        """Wait until all calls over these lanes are answered, whatever else is on its way; return how many are not."""
        if may_wait_here():
            self._until(lambda: not self.unanswered_on(lanes), seconds)
        return self.unanswered_on(lanes)

    def drain(self, seconds: float) -> int:
        """Wait until all calls are answered; return how many are not. Later calls are sent by their own thread."""
        if may_wait_here():
            self._until(lambda: not self.unanswered(), seconds)
        self._is_closing = True
        return self.unanswered()

    def again(self, shipment: Shipment) -> None:
        """Send it again, from ``shipment.due`` on."""
        self._again.append(shipment)
        self._ring()

    def over(self, shipment: Shipment) -> None:
        """It has its answer: there is room."""
        if isinstance(shipment, Batch):
            self._flying.pop(shipment, None)
        elif isinstance(shipment, Errand):
            self._errands.pop(shipment, None)
        while self._room:
            try:
                self._room.popleft().release()
            except IndexError:  # another thread was first
                break
        if self._queue:
            self._ring()

    def _ring_if_silent(self) -> None:
        if self._bell.locked():
            self._ring()

    def _ring(self) -> None:
        try:
            self._bell.release()
        except RuntimeError:  # rung already
            pass

    def _until(self, is_so: Callable[[], bool], seconds: float) -> bool:
        deadline = monotonic() + seconds
        while not is_so():
            bell = allocate_lock()
            bell.acquire()
            self._room.append(bell)
            if is_so():
                break
            left = deadline - monotonic()
            if left <= 0 or not bell.acquire(timeout=left):
                return is_so()
        return True

    def _start(self) -> None:
        self._is_started = True  # first of all: a signal handler may come in between
        try:
            if self._on_start():
                start_new_thread(self._run, ())
                return
        except RuntimeError:  # no new thread: the interpreter closes
            pass
        self._is_closing = True
        while self._queue:
            self._send_here(self._queue.popleft())

    def _send_here(self, item: Delivery | Errand) -> None:
        """Send on the caller's thread, while the interpreter closes."""
        if isinstance(item, Errand):
            item.take(NoRunner("the interpreter closes: nothing is asked of a runner any more"))
            return
        batch = Batch(item.lane, self)
        batch.calls.append(item)
        folder = item.lane.folder()
        if folder is None:
            batch.send()
            return
        try:
            end = dial(folder)
            if end is not None:
                batch.take(exchange(end, [item.call], timeout_seconds=LONGEST_WAIT_SECONDS))
                return
        except (OSError, ConnectionLost):
            pass
        except DeferError as error:
            batch.take(error)
            return
        batch.stay()  # also when it may have been stored already: its id makes that harmless

    # The thread.

    def _run(self) -> None:
        never_wait_here()
        pause = -1.0
        while True:
            was_rung = self._bell.acquire(timeout=pause)
            self._is_resting = False
            try:
                with self._packing:
                    self._turn()
                    pause = self._pause()
                    if pause < 0 and was_rung:
                        pause = _LINGER_SECONDS
                    self._is_resting = pause < 0
            except Exception:
                log.exception("the sender failed, and goes on")
                pause = _PAUSE_AFTER_FAULT_SECONDS

    def _turn(self) -> None:
        if self._again:
            self._send_again()
        while self._queue and len(self._flying) < MOST_IN_FLIGHT:
            first = self._queue[0]
            if isinstance(first, Errand):
                self._queue.popleft()
                self._run_errand(first)
            else:
                self._pack(first.lane).send()

    def _run_errand(self, errand: Errand) -> None:
        if errand.outcome is not None:  # given up in the queue
            return
        if self._is_held(errand):
            self._again.append(errand)
        else:
            errand.send()

    def _is_held(self, shipment: Shipment) -> bool:
        """Whether it would overtake calls that a lost connection keeps from where it goes: it may be about them."""
        if isinstance(shipment, Batch):
            return False
        adrift = [batch.lane for batch in list(self._flying) if batch.is_adrift]
        return any(leads_where(shipment.lane, lane) for lane in adrift)

    def _pack(self, lane: Lane) -> Batch:
        """Move calls from the queue into a batch; each is always in one of the two, so that ``drain`` misses none."""
        queue = self._queue
        batch = Batch(lane, self)
        calls = batch.calls
        self._flying[batch] = None
        size = 0
        while queue and len(calls) < MOST_IN_BATCH:
            item = queue[0]
            if isinstance(item, Errand) or item.lane is not lane:
                break
            call = item.call
            size += len(call.arguments) + _LARGEST_NAMES
            if call.metadata or call.key:
                size += _LARGEST_OPTIONS
            if call.trace:
                size += len(call.trace)
            if size > _LARGEST_BATCH and calls:
                break
            calls.append(item)
            queue.popleft()
        return batch

    def _send_again(self) -> None:
        now = monotonic()
        for _ in range(len(self._again)):
            shipment = self._again.popleft()
            if shipment.deadline <= now:
                shipment.expire()
            elif shipment.due <= now and not self._is_held(shipment):
                shipment.send()
            else:
                self._again.append(shipment)

    def _pause(self) -> float:
        """Give up what is overdue; return the seconds until the next such moment, -1 for never."""
        if not (self._flying or self._again or self._errands):
            return -1.0
        now = monotonic()
        nearest = inf
        for batch in list(self._flying):
            if batch.deadline <= now:
                batch.expire()
                self._give_up_queue()
            else:
                nearest = min(nearest, batch.deadline)
        for errand in list(self._errands):
            if errand.deadline <= now:
                errand.expire()
            else:
                nearest = min(nearest, errand.deadline)
        for shipment in list(self._again):
            nearest = min(nearest, shipment.deadline, inf if self._is_held(shipment) else shipment.due)
        return -1.0 if nearest == inf else max(nearest - now, 0.0)

    def _give_up_queue(self) -> None:
        """Refuse the calls that stood behind a runner that does not answer, each after its own time."""
        oldest_us = time_ns() // 1000 - int(LONGEST_WAIT_SECONDS * 1_000_000)
        why = f"the runner gave no answer within {LONGEST_WAIT_SECONDS:g} s; this call was not sent"
        error = CallRefused(why, mend="see whether it is alive: `defer doctor`")
        while self._queue:
            item = self._queue[0]
            if isinstance(item, Errand) or item.call.called_us > oldest_us:
                return
            self._queue.popleft()
            settle([item], [error])
