"""`--wait`: follows an execution to its end, through runners that come and go."""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from defer_cli.cli.access import NO_RUNNER, Gone, Line, ask, reach
from defer_cli.cli.failures import OK, TIMED_OUT
from defer_cli.cli.output import cut, distance_words, has_colour, moment_words, say, width_of
from defer_cli.cli.wording import duration_words
from defer_cli.domain.errors import ExecutionFailed, StoreError
from defer_cli.domain.states import FINAL_STATES, State
from defer_cli.domain.visible import visible

if TYPE_CHECKING:
    from defer_cli.link.project import DataFolder

LOOK_SECONDS = 0.5
_LONGEST_MESSAGE = 2_000


def wait_for_end(data: DataFolder, id: str, function: str, limit: timedelta | None) -> int:
    """Show progress on stderr until the execution has ended; print its result and return the exit code.

    Raises ``ExecutionFailed`` when it ended without a result.
    """
    progress = _Progress(function)
    deadline = None if limit is None else time.monotonic() + limit.total_seconds()
    try:
        ending = _follow(data, id, progress, deadline)
    except KeyboardInterrupt:
        progress.end()
        say(f"no longer waiting; the execution goes on: `defer cancel --force {id}` would end it")
        raise
    progress.end(ending)
    if ending is None:
        say(f"timed out; the execution goes on: see `defer show {id}`")
        return TIMED_OUT
    if ending["state"] == State.SUCCEED:
        print(_harmless(ending["result"]))
        return OK
    raise _failure(id, function, ending)


def _follow(data: DataFolder, id: str, progress: _Progress, deadline: float | None) -> dict[str, Any] | None:
    """Return how the execution ended, None when the deadline came first."""
    has_said_so = False
    while True:
        line = reach(data)
        if line is not None:
            try:
                with line:
                    if _listen(line, id, progress, deadline):
                        ending: dict[str, Any] = line.ask("ending", id=id)
                        return ending
            except (Gone, TimeoutError):  # the runner stopped: whoever comes next goes on
                line = None
        if line is None:
            found = _look(data, id)
            if found is not None:
                return found
            if not has_said_so:
                has_said_so = True
                progress.end()
                say(NO_RUNNER)
        if deadline is not None and time.monotonic() >= deadline:
            return None
        time.sleep(_time_to_look(deadline))


def _listen(line: Line, id: str, progress: _Progress, deadline: float | None) -> bool:
    """Return whether the execution ended before the deadline."""
    line.begin_wait(id)
    while True:
        if line.ended(timeout_seconds=_time_to_look(deadline)) is not None:
            return True
        if deadline is not None and time.monotonic() >= deadline:
            return False
        progress.show(line.ask("execution", id=id), line.ask("children", id=id))


def _time_to_look(deadline: float | None) -> float:
    return LOOK_SECONDS if deadline is None else min(LOOK_SECONDS, max(deadline - time.monotonic(), 0.001))


def _look(data: DataFolder, id: str) -> dict[str, Any] | None:
    try:
        ending: dict[str, Any] = ask(data, "ending", id=id)
    except (StoreError, Gone):  # a runner starts or stops just now
        return None
    return ending if ending["state"] in FINAL_STATES else None


def _failure(id: str, function: str, ending: dict[str, Any]) -> ExecutionFailed:
    raised = json.loads(ending["error"]) if ending["error"] else None
    if raised is None:
        return ExecutionFailed(
            f"{function} was {ending['state']}", execution_id=id, state=ending["state"], where=f"execution {id}"
        )
    message = cut(visible(raised["message"]), _LONGEST_MESSAGE)
    return ExecutionFailed(
        f"{function} {ending['state']}: {visible(raised['type'])}" + (f": {message}" if message else ""),
        execution_id=id,
        state=ending["state"],
        where=raised.get("location") or f"execution {id}",
        mend=f"`defer show {id}` has the traceback",
    )


def _harmless(result: str | None) -> str:
    """Return a result as JSON without anything that a terminal would act on."""
    return "null" if result is None else json.dumps(json.loads(result), ensure_ascii=not result.isprintable())


class _Progress:
    """One line about an execution and its children: redrawn on a terminal, only changes elsewhere."""

    def __init__(self, function: str) -> None:
        self._function = visible(function)
        self._shown = ""
        self._is_live = has_colour(sys.stderr)

    def show(self, execution: dict[str, Any], children: dict[str, int]) -> None:
        """Say how far it is, when that has changed."""
        words = f"{self._function} {execution['state']}{self._times(execution)}"
        if children:
            words += " · children: " + ", ".join(f"{children[state]:,} {state}" for state in State if state in children)
        if words == self._shown:
            return
        if self._is_live:
            width = width_of(sys.stderr)
            shown = words if width is None else cut(words, width - 1)  # a line that folds could not be taken back
            print(f"\r\x1b[K{shown}", end="", file=sys.stderr, flush=True)
        else:
            say(words)
        self._shown = words

    def _times(self, execution: dict[str, Any]) -> str:
        """Return which attempt it is, when the next one comes, and on a terminal how long all this takes."""
        now = datetime.now(UTC)
        attempt = f", attempt {execution['attempt']}" if execution["attempt"] > 1 else ""
        if execution["state"] != State.CREATED:
            span = duration_words(execution, now=now) if self._is_live else ""
            return f"{attempt} {'after' if execution['finished_at'] else 'for'} {span}" if span else attempt
        due = datetime.fromisoformat(execution["scheduled_at"])
        if due <= now:
            return attempt
        what = f", attempt {execution['attempt']} failed, retry" if execution["charged"] else ", due"
        return f"{what} {distance_words(due, now=now) if self._is_live else 'at ' + moment_words(due)}"

    def end(self, ending: dict[str, Any] | None = None) -> None:
        """Leave the line, with how it ended in its place."""
        if self._is_live and self._shown:
            if ending is not None:
                self.show(ending, {})
            print(file=sys.stderr)
        self._shown = ""
