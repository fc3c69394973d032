"""Waits for ends over HTTP: few requests that wait for many executions at once."""

from __future__ import annotations

from _thread import start_new_thread
from collections.abc import Callable
from queue import Empty, SimpleQueue
from time import monotonic, sleep

from defer_cli.client.http_messages import Api, ends_of
from defer_cli.client.routes import ConnectionLost, never_wait_here
from defer_cli.domain.errors import DeferError
from defer_cli.link.frames import Ended, Wait

MOST_IN_POLL = 1_000
_POLL_SECONDS = (20.0, 2.0, 0.25)
"""How long the first, the second and the third request at a time wait: the third soon takes up what has come since."""
_SECONDS_AN_ID = 0.001
"""At least: each id of a request costs the runner a look."""
_LEAST_SECONDS = 0.2
_ANSWER_SECONDS = 30.0


class Waits:
    """Asks for the ends of what is awaited until each has been told, or nobody listens any more.

    ``on_end`` gets a number and its end; ``on_loss`` is told when the runner cannot be heard.
    """

    def __init__(
        self,
        api: Api,
        *,
        on_end: Callable[[int, Ended | DeferError], None],
        on_loss: Callable[[ConnectionLost], None],
    ) -> None:
        self._api = api
        self._on_end = on_end
        self._on_loss = on_loss
        self.heard_of: set[int] = set()
        """The waits a runner has told anything about: that it has not ended yet, at least."""
        self._open: dict[int, str] = {}
        self._next: SimpleQueue[int | None] = SimpleQueue()
        self._pollers = 0
        self._polls = 0
        self._is_over = False

    def add(self, wait: Wait) -> None:
        """Wait for one more; one thread calls."""
        self._open[wait.number] = wait.id
        self._next.put(wait.number)
        if self._polls >= self._pollers < len(_POLL_SECONDS):
            self._pollers += 1
            start_new_thread(self._run, ())

    def leave(self, number: int) -> None:
        """Wait no longer for this one."""
        self._open.pop(number, None)
        self.heard_of.discard(number)

    def close(self) -> None:
        """Ask no more."""
        self._is_over = True
        for _ in range(self._pollers):
            self._next.put(None)

    def _run(self) -> None:
        never_wait_here()
        while (number := self._next.get()) is not None and not self._is_over:
            asked = self._taken(number)
            if asked:
                self._polls += 1
                try:
                    self._poll(asked)
                finally:
                    self._polls -= 1

    def _taken(self, number: int | None) -> dict[int, str]:
        """Return what stands here, from ``number`` on, as far as one request holds it and somebody listens."""
        asked: dict[int, str] = {}
        while number is not None:
            if (id := self._open.get(number)) is not None:
                asked[number] = id
            if len(asked) == MOST_IN_POLL:
                break
            try:
                number = self._next.get_nowait()
            except Empty:
                break
        return asked

    def _poll(self, asked: dict[int, str]) -> None:
        seconds = max(_POLL_SECONDS[self._polls - 1], len(asked) * _SECONDS_AN_ID)
        began = monotonic()
        try:
            ends = ends_of(self._api, asked.values(), wait_seconds=seconds, answer_seconds=seconds + _ANSWER_SECONDS)
        except ConnectionLost as error:
            self._on_loss(error)
            return
        except DeferError as error:
            ends = dict.fromkeys(asked.values(), error)
        if not ends:
            sleep(max(0.0, began + _LEAST_SECONDS - monotonic()))  # whoever answers does not wait for us
        for number, id in asked.items():
            end = ends.get(id)
            if end is not None:
                self.leave(number)
                self._on_end(number, end)
            elif number in self._open:
                self.heard_of.add(number)
                self._next.put(number)
