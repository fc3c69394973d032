"""A worker's process seen from its runner: what it sent counts, and a start that fails leaves nothing."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from defer_cli.link.frames import Answer, OutcomeItem, Outcomes, Start
from defer_cli.workers import pool as pool_module
from defer_cli.workers.pool import Pool
from defer_cli.workers.process import WorkerProcess
from tests.process.harness import DEADLINE_SECONDS, is_alive, until

pytestmark = pytest.mark.process

_SENDS_AND_DIES = f"""#!{sys.executable}
import os, socket, sys
from defer_cli.link.frames import OutcomeItem, Outcomes, encode_frame
socket.socket(fileno=int(sys.argv[-3])).sendall(encode_frame(Outcomes([OutcomeItem(1, 1, b"42")])))
os._exit(1)
"""


class Watched:
    """A worker, the frames it sent and its end."""

    def __init__(self) -> None:
        self.frames: list[Any] = []
        self.gone = asyncio.Event()
        self.process = WorkerProcess(
            number=1, on_frame=lambda _, frame: self.frames.append(frame), on_exit=lambda _: self.gone.set()
        )

    async def start(self, directory: Path) -> None:
        await self.process.start(dict(os.environ), directory=str(directory), output=2)

    async def until_gone(self) -> None:
        await asyncio.wait_for(self.gone.wait(), DEADLINE_SECONDS)


class Pids:
    """The list of workers; on a full disk it takes no worker."""

    def __init__(self) -> None:
        self.is_full = False
        self.noted: list[int] = []
        self.refusals = 0
        self._changed = asyncio.Event()

    def write(self, pids: list[int]) -> None:
        if self.is_full:
            self.refusals += 1
            self._changed.set()
            raise OSError(28, "No space left on device")
        self.noted = list(pids)
        self._changed.set()

    async def until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not is_so():
                self._changed.clear()
                await self._changed.wait()


def make_pool(project: Path, pids: Pids, *, size: int = 1) -> Pool:
    return Pool(
        size=size,
        project=project,
        folder=project,
        environment=dict(os.environ),
        on_frame=lambda worker, frame: None,
        on_ready=lambda worker: None,
        on_retire=lambda worker: None,
        on_death=lambda worker: None,
        on_pids=pids.write,  # type: ignore[arg-type]
    )


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The process ids of every worker that was started."""
    pids: list[int] = []
    spawn = WorkerProcess._spawn

    def noting(self: WorkerProcess, *arguments: Any) -> None:
        spawn(self, *arguments)
        pids.append(self.pid)

    monkeypatch.setattr(WorkerProcess, "_spawn", noting)
    return pids


async def test_an_outcome_counts_when_the_runner_writes_before_it_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "worker"
    program.write_text(_SENDS_AND_DIES)
    program.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(program))
    worker = Watched()
    await worker.start(tmp_path)
    until(lambda: not is_alive(worker.process.pid), "it has sent its outcome and died, while the loop is busy")
    worker.process.order(Start([]))
    worker.process.send(Answer(1))
    await worker.until_gone()

    assert worker.frames == [Outcomes([OutcomeItem(1, 1, b"42")])]


async def test_a_worker_that_is_asked_to_leave_goes(tmp_path: Path) -> None:
    worker = Watched()
    await worker.start(tmp_path)
    worker.process.leave()
    await worker.until_gone()

    assert worker.process.exit_cause == "exited with code 0"


async def test_a_worker_that_cannot_be_reached_leaves_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: list[int]
) -> None:
    def refuse(pid: int) -> int:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(os, "pidfd_open", refuse)
    with pytest.raises(OSError, match="Too many open files"):
        await Watched().start(tmp_path)

    assert [is_alive(pid) for pid in started] == [False]


async def test_the_pool_is_whole_again_once_its_workers_can_be_noted(tmp_path: Path) -> None:
    pids = Pids()
    pool = make_pool(tmp_path, pids)
    await pool.exchange([])
    (first,) = pool.processes
    pids.is_full = True
    first.kill()
    await pids.until(lambda: pids.refusals >= 2)
    pids.is_full = False
    await pids.until(lambda: bool(pids.noted) and pids.noted != [first.pid])
    await pool.stop()

    assert first.exit_cause.startswith("was killed by signal 9")


async def test_a_pool_that_has_failed_for_hours_still_tries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "_LONGEST_PAUSE_SECONDS", 0)
    pids = Pids()
    pool = make_pool(tmp_path, pids)
    await pool.exchange([])
    (first,) = pool.processes
    pool._deaths_in_a_row = 5_000
    first.kill()
    await pids.until(lambda: bool(pids.noted) and pids.noted != [first.pid])
    await pool.stop()

    assert pids.noted == []


async def test_a_worker_that_hangs_while_it_loads_holds_up_nothing_for_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    program = tmp_path / "worker"
    program.write_text("#!/bin/sh\nexec sleep 600\n")
    program.chmod(0o700)
    monkeypatch.setattr(pool_module, "_LOAD_SECONDS", 0.05)
    monkeypatch.setattr(sys, "executable", str(program))
    pool = make_pool(tmp_path, Pids())
    await asyncio.wait_for(pool.exchange([]), DEADLINE_SECONDS)
    await pool.stop()

    assert not is_alive(started[0])
    assert "a worker was killed after 0.05 s while it loaded the functions" in caplog.text


async def test_a_worker_that_cannot_be_noted_leaves_no_process(tmp_path: Path, started: list[int]) -> None:
    pids = Pids()
    pids.is_full = True
    pool = make_pool(tmp_path, pids)
    with pytest.raises(OSError, match="No space left"):
        await pool.warm_up()
    await pids.until(lambda: pids.refusals == 2)  # the second time, its end could not be noted

    assert [is_alive(pid) for pid in started] == [False]


async def test_a_worker_that_ends_while_it_is_started_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pids = Pids()
    pool = make_pool(tmp_path, pids)
    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", _slow_connection())
    with monkeypatch.context() as broken:
        broken.setattr(sys, "executable", "/bin/false")
        await pool.warm_up()
    await asyncio.wait_for(pool.exchange([]), DEADLINE_SECONDS)
    await pids.until(lambda: any(is_alive(pid) for pid in pids.noted))
    await pool.stop()

    assert pool.processes == []


def _slow_connection() -> Callable[..., Awaitable[Any]]:
    """Return a way to connect that takes until the process has ended, and the loop knows."""
    connect = asyncio.get_running_loop().create_connection

    async def slow(factory: Callable[[], WorkerProcess], **options: Any) -> Any:
        made = await connect(factory, **options)
        worker = factory()
        if worker._popen is not None and worker._popen.args[0] == "/bin/false":  # type: ignore[index]
            until(lambda: not is_alive(worker.pid), "it has ended")
            for _ in range(3):
                await asyncio.sleep(0)
        return made

    return slow


def test_every_descriptor_of_a_worker_is_closed_at_its_end(tmp_path: Path) -> None:
    async def live() -> None:
        worker = Watched()
        await worker.start(tmp_path)
        worker.process.kill()
        await worker.until_gone()
        await asyncio.sleep(0)

    before = len(os.listdir("/proc/self/fd"))
    asyncio.run(live())

    assert len(os.listdir("/proc/self/fd")) == before
