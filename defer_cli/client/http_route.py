"""The route over HTTP: calls one request after the other, questions side by side, and one wait for many ends."""

from __future__ import annotations

from _thread import allocate_lock, start_new_thread
from queue import SimpleQueue
from threading import main_thread

from msgspec import Struct

from defer_cli.client.http_messages import Api, answer, store_calls
from defer_cli.client.http_waits import Waits
from defer_cli.client.routes import ConnectionLost, Route, Unreached, never_wait_here
from defer_cli.domain.errors import DeferError
from defer_cli.link.frames import Answer, Ask, Enqueues, Unwait, Wait

_MOST_ASKED_AT_ONCE = 8


class HttpRoute(Route):
    """Looks to its users like a connection: what comes first is stored first, and a question comes after the calls.

    The API takes requests in any order, so a thread of this route sends calls one request at a time, and what stands
    behind them is begun when they are stored. One request that is lost takes the route with it, as with a socket:
    what waits for an answer is sent again over a new one, in its old order.
    """

    def __init__(self, api: Api) -> None:
        super().__init__()
        self._api = api
        self._queue: SimpleQueue[Enqueues | Ask | Wait | None] = SimpleQueue()
        self._asked: SimpleQueue[Ask | None] = SimpleQueue()
        self._waits = Waits(api, on_end=self._hand_over, on_loss=self._fail)
        self._is_running = False
        self._counting = allocate_lock()
        self._askers = 0
        self._idle = 0
        self._on_its_way: set[int] = set()

    def lost(self, error: DeferError) -> None:
        """Answer everything that waits; what no request was made for yet is known to be unsent."""
        self._error = self._error or error
        for number in list(self._pending):
            if number in self._on_its_way or number in self._waits.heard_of:
                self._hand_over(number, error)
            else:
                self._hand_over(number, Unreached(error.problem, mend=error.mend))
        self._waits.close()
        self._queue.put(None)
        for _ in range(self._askers):
            self._asked.put(None)

    def _write(self, message: Struct) -> None:
        if isinstance(message, Unwait):
            self._waits.leave(message.number)
        elif not main_thread().is_alive() and isinstance(message, Enqueues | Ask):
            self._meet(message)  # the interpreter closes: on this thread, for no other may begin
        else:
            assert isinstance(message, Enqueues | Ask | Wait)
            self._queue.put(message)
            if not self._is_running:
                self._start()

    def _start(self) -> None:
        with self._counting:
            if not self._is_running:
                start_new_thread(self._run, ())
                self._is_running = True

    def _run(self) -> None:
        never_wait_here()
        while not self.is_lost and (message := self._queue.get()) is not None:
            if isinstance(message, Enqueues):
                self._meet(message)
            elif isinstance(message, Wait):
                self._waits.add(message)
            else:
                self._asked.put(message)
                with self._counting:
                    if self._asked.qsize() > self._idle and self._askers < _MOST_ASKED_AT_ONCE:
                        self._askers += 1
                        start_new_thread(self._ask, ())

    def _ask(self) -> None:
        never_wait_here()
        while not self.is_lost:
            with self._counting:
                self._idle += 1
            message = self._asked.get()
            with self._counting:
                self._idle -= 1
            if message is None:
                return
            self._meet(message)

    def _meet(self, message: Enqueues | Ask) -> None:
        """Send one request, and hand its answer over; one that was given up while it stood here is not sent."""
        number = message.number
        if number not in self._pending:
            return
        self._on_its_way.add(number)
        try:
            reply = store_calls(self._api, message) if isinstance(message, Enqueues) else _answered(self._api, message)
        except ConnectionLost as error:
            if isinstance(error, Unreached):
                self._on_its_way.discard(number)
            self._fail(error, number)
        except DeferError as error:
            self._hand_over(number, error)
        except Exception as error:
            self._hand_over(number, DeferError(f"it could not be sent: {type(error).__name__}: {error}"))
        else:
            self._hand_over(number, reply)
        finally:
            self._on_its_way.discard(number)

    def _fail(self, error: ConnectionLost, number: int = 0) -> None:
        """End this route before anything is sent again, the request that failed first."""
        self._error = self._error or ConnectionLost(error.problem, mend=error.mend)
        self._hand_over(number, error)
        self.lost(self._error)


def _answered(api: Api, ask: Ask) -> Answer:
    return Answer(ask.number, answer(api, ask))
