"""Finds the functions of a project and all problems of all files, without running user code in this process."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from time import monotonic, time_ns

import msgspec

from defer_cli.discovery.environment import function_environment
from defer_cli.discovery.exchange import Message, Report, Request
from defer_cli.discovery.importing import absolute
from defer_cli.discovery.scan import relative_to, scan
from defer_cli.domain.duration import in_words
from defer_cli.domain.errors import DeferError
from defer_cli.domain.function import FunctionSpec, Problem
from defer_cli.link.python import python_running

DEADLINE = timedelta(seconds=30)
_decode_message = msgspec.json.Decoder(Message).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """The functions that are right, by name; every problem, warnings included; the files that were looked at."""

    functions: tuple[FunctionSpec, ...] = ()
    problems: tuple[Problem, ...] = ()
    files: tuple[str, ...] = ()
    began_ns: int = field(default=0, compare=False)
    """When it began to look, by the clock of the machine."""

    @property
    def has_breach(self) -> bool:
        """Whether the folder's rule is broken; warnings do not break it."""
        return any(not problem.is_warning for problem in self.problems)


class GaveUp(DeferError):
    """Nobody waits for the answer any more."""


async def discover_in_thread(project: Path, folder: Path) -> Discovery:
    """Return what ``discover`` does, without blocking the loop; cancelling it ends the inspector at once."""
    give_up, ring = os.pipe()
    looking = asyncio.ensure_future(asyncio.to_thread(discover, project, folder, give_up=give_up))
    try:
        return await asyncio.shield(looking)
    except asyncio.CancelledError:
        os.write(ring, b".")
        with suppress(GaveUp):
            await looking
        raise
    finally:
        os.close(give_up)
        os.close(ring)


def discover(
    project: Path,
    folder: Path,
    *,
    deadline: timedelta = DEADLINE,
    environ: Mapping[str, str] = os.environ,
    give_up: int | None = None,
) -> Discovery:
    """Return what the files under ``folder`` define. Blocks: on an event loop, use ``discover_in_thread``.

    Once the descriptor ``give_up`` can be read, it ends the inspector and raises ``GaveUp``.

    A file whose import ends the inspector is reported, and the others are inspected without it; one that is
    still being imported at ``deadline`` is reported, and the others as not looked at because of it.
    """
    began_ns = time_ns()
    project, folder = absolute(project), absolute(folder)
    found = scan(project, folder)
    problems = list(found.problems)
    functions: tuple[FunctionSpec, ...] = ()
    waiting = list(found.files)
    environment = function_environment(project, environ) if waiting else {}
    until = monotonic() + deadline.total_seconds()
    while waiting:
        request = Request(project=str(project), folder=str(folder), files=tuple(map(str, waiting)))
        inspector = _Inspector(request, environment, until, give_up)
        report = inspector.report()
        if report is not None:
            functions = report.functions
            problems += report.problems
            break
        failed = _failed_at(inspector, project, folder, deadline)
        problems.append(failed)
        if inspector.is_late or inspector.importing not in waiting:
            problems += [_unseen(relative_to(project, file), failed) for file in waiting if file != inspector.importing]
            break
        waiting.remove(inspector.importing)
    return Discovery(
        functions=functions,
        problems=tuple(sorted(problems, key=lambda problem: (problem.file, problem.line or 0, problem.code))),
        files=tuple(relative_to(project, file) for file in found.files),
        began_ns=began_ns,
    )


def _failed_at(inspector: _Inspector, project: Path, folder: Path, deadline: timedelta) -> Problem:
    if inspector.is_late:
        problem = f"is still being imported after {in_words(deadline)}"
        mend = "move what waits or takes long from the top of the file into the function"
    else:
        problem = f"cannot be imported: the process that imported it {inspector.ending}"
        mend = "move what ends or crashes the process (os._exit, C code) from the top of the file into the function"
    return Problem(code="DEF008", problem=problem, file=relative_to(project, inspector.importing or folder), mend=mend)


def _unseen(file: str, culprit: Problem) -> Problem:
    return Problem(
        code="DEF008",
        problem=f"could not be looked at because of {culprit.file}",
        file=file,
        mend=f"mend {culprit.file} first",
    )


class _Inspector:
    """One inspector process, from its start to its end."""

    def __init__(
        self, request: Request, environment: Mapping[str, str], until: float, give_up: int | None = None
    ) -> None:
        self.importing: Path | None = None
        self.is_late = False
        self._until = until
        self._give_up = give_up
        self._request = msgspec.json.encode(request)
        self._answers, theirs = os.pipe()
        os.set_blocking(self._answers, False)
        try:
            self._process = subprocess.Popen(
                [*python_running("defer_cli.discovery.inspector"), str(theirs), str(int(self._left()) + 5)],
                stdin=subprocess.PIPE,
                stdout=2,  # what user code prints is talk, not data
                pass_fds=(theirs,),
                cwd=request.project,
                env=dict(environment),
                start_new_session=True,
            )
        finally:
            os.close(theirs)

    @property
    def ending(self) -> str:
        """How the process ended, in words."""
        status = self._process.returncode
        return f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with exit status {status}"

    def report(self) -> Report | None:
        """Return the report; None when the process ended, or had to be ended, before it gave one."""
        try:
            self._ask()
            for message in map(_decode_message, self._lines()):
                if message.report is not None:
                    return message.report
                self.importing = Path(message.importing) if message.importing else None
            return None
        finally:
            self._end()

    def _ask(self) -> None:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError), self._process.stdin as stdin:
            stdin.write(self._request)

    def _lines(self) -> Iterator[bytes]:
        """Yield lines until the process ends; one of its own children may hold the pipe open longer."""
        ended = os.pidfd_open(self._process.pid)
        poll = select.poll()
        poll.register(self._answers, select.POLLIN)
        poll.register(ended, select.POLLIN)
        if self._give_up is not None:
            poll.register(self._give_up, select.POLLIN)
        unfinished = b""
        try:
            while ready := poll.poll(self._left() * 1000):
                if any(descriptor == self._give_up for descriptor, _ in ready):
                    raise GaveUp("nobody waits for what the files define any more")
                try:
                    chunk = os.read(self._answers, 65_536)
                except BlockingIOError:  # it has ended
                    return
                if not chunk:
                    return
                *lines, unfinished = (unfinished + chunk).split(b"\n")
                yield from lines
            self.is_late = True
        finally:
            os.close(ended)

    def _end(self) -> None:
        """End the process and what it started."""
        os.close(self._answers)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _left(self) -> float:
        return max(0.0, self._until - monotonic())
