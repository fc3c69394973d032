"""Long work on what is stored, a step at a time: the store is let go again and again, Ctrl-C ends it between two."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from types import FrameType
from typing import TYPE_CHECKING, Any, Self

from defer_cli.cli import access
from defer_cli.cli.output import has_colour, say
from defer_cli.domain.errors import Unconfirmed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from defer_cli.link.project import DataFolder

_PATIENCE_SECONDS = 30.0
_PAUSE_SECONDS = 0.1
_HOLD_SECONDS = 0.5
_GAP_SECONDS = 0.05
"""Who waits for the store looks every 20 ms whether it is free."""


class Steps:
    """Makes changes one after the other; the first Ctrl-C lets the one under way end, a second one does not."""

    def __init__(self, data: DataFolder) -> None:
        self._data = data
        self._had: Any = None
        self._way: ExitStack | None = None
        self._change: Callable[..., Any] = access.change
        self._leaves_at = 0.0
        self._left_at = 0.0
        self.is_stopped = False

    def __enter__(self) -> Self:
        self._had = signal.signal(signal.SIGINT, self._stop)
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.leave()
        finally:
            signal.signal(signal.SIGINT, self._had)

    def make(self, name: str, parameters: Mapping[str, Any], *, again: Mapping[str, Any] | None = None) -> Any:
        """Return what came of a change; ``again`` is said with it when an earlier answer was lost.

        A runner that goes away in the middle is replaced: by the next one, or by this command. Raises ``Unconfirmed``
        when that takes too long.
        """
        deadline = time.monotonic() + _PATIENCE_SECONDS
        asked = dict(parameters)
        while True:
            try:
                self._go()
                return self._change(name, **asked)
            except (access.Gone, TimeoutError):
                self.leave()
                asked.update(again or {})
                if time.monotonic() > deadline:
                    raise Unconfirmed(
                        "the runner went away, and it is unknown whether the last step was made",
                        mend="ask again: what is done is not done twice",
                    ) from None
                time.sleep(_PAUSE_SECONDS)

    def rest(self) -> bool:
        """Let go of the store when it was held for a while; return whether it is free.

        Only then may anything be printed: a reader who is slow would hold the store as well.
        """
        if self._way is not None and time.monotonic() > self._leaves_at:
            self.leave()
        return self._way is None

    def leave(self) -> None:
        """Let go of the store."""
        way, self._way = self._way, None
        if way is not None:
            way.close()
            self._left_at = time.monotonic()

    def _go(self) -> None:
        """Have a way to the store: the same for a while, for opening it costs more than a step."""
        if self._way is None:
            time.sleep(max(self._left_at + _GAP_SECONDS - time.monotonic(), 0))
            with ExitStack() as way:
                self._change = way.enter_context(access.changing(self._data))
                self._way = way.pop_all()
            self._leaves_at = time.monotonic() + _HOLD_SECONDS

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if self.is_stopped:
            signal.default_int_handler(number, frame)
        self.is_stopped = True


class Progress:
    """One line on a terminal about how far it is; nothing elsewhere, and nothing while the data itself is shown."""

    def __init__(self, *, is_quiet: bool = False) -> None:
        self._is_wanted = has_colour(sys.stderr) and not is_quiet
        self._has_line = False

    def show(self, words: str) -> None:
        """Replace the line."""
        if self._is_wanted:
            print(f"\r\x1b[K{words}", end="", file=sys.stderr, flush=True)
            self._has_line = True

    def end(self) -> None:
        """Take the line away."""
        if self._has_line:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
            self._has_line = False


def may_ask() -> bool:
    """Return whether a person is there to be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def is_wanted(question: str) -> bool:
    """Ask a person; say so when nothing is to be changed."""
    import typer

    is_sure = typer.confirm(question, err=True)
    if not is_sure:
        say("nothing was changed")
    return is_sure
