"""Waits for ends over HTTP: few requests that wait for many executions at once."""

from __future__ import annotations

from _thread import allocate_lock, start_new_thread
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
        self._counting = allocate_lock()
        self._is_over = False

    def add(self, wait: Wait) -> None:
        """Wait for one more; one thread calls."""
        self._open[wait.number] = wait.id
        self._next.put(wait.number)
        self._see_to_pollers()

    def leave(self, number: int) -> None:
        """Wait no longer for this one."""
        self._open.pop(number, None)
        self.heard_of.discard(number)

    def close(self) -> None:
        """Ask no more."""
        self._is_over = True
        for _ in range(self._pollers):
            self._next.put(None)

    def _see_to_pollers(self) -> None:
        """Start one more when none is free for what stands here."""
        with self._counting:
            if self._polls >= self._pollers < len(_POLL_SECONDS) and not self._next.empty():
                self._pollers += 1
                start_new_thread(self._run, ())

    def _run(self) -> None:
        never_wait_here()
        while not self._is_over and (number := self._next.get()) is not None:
            asked = self._taken(number)
            if asked:
                with self._counting:
                    place, self._polls = self._polls, self._polls + 1
                self._see_to_pollers()
                self._poll(asked, max(_POLL_SECONDS[place], len(asked) * _SECONDS_AN_ID))
                with self._counting:
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

    def _poll(self, asked: dict[int, str], seconds: float) -> None:
        began = monotonic()
        try:
            ends = ends_of(self._api, asked.values(), wait_seconds=seconds, answer_seconds=seconds + _ANSWER_SECONDS)
        except ConnectionLost as error:
            self._on_loss(error)
            return
        except DeferError as error:
            ends = dict.fromkeys(asked.values(), error)
        except Exception as error:
            fault = DeferError(f"it could not be sent: {type(error).__name__}: {error}")
            ends = dict.fromkeys(asked.values(), fault)
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
