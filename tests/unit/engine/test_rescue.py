"""No worker of a dead runner lives when its work is taken back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from defer_cli.domain.errors import StoreError
from defer_cli.domain.states import State
from defer_cli.engine import rescue
from defer_cli.engine.rescue import A_TURN, WorkerList, put_right, take_back
from defer_cli.store.sqlite import open_reader, open_store
from tests.store.harness import call, insert, limits, start


@pytest.fixture
def survivor() -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-c", "print(flush=True); import signal; signal.pause()"]
    process = subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.read(1)
    yield process
    process.stdout.close()
    process.kill()
    process.wait()


@pytest.fixture
def workers(tmp_path: Path) -> WorkerList:
    return WorkerList(tmp_path / "workers")


def test_a_worker_that_outlived_its_runner_is_killed(
    workers: WorkerList, survivor: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    workers.write([survivor.pid])
    ended = workers.end_survivors()

    assert ended == 1
    assert survivor.wait() == -signal.SIGKILL


def test_a_worker_that_has_ended_is_passed_over(workers: WorkerList, survivor: subprocess.Popen[bytes]) -> None:
    workers.write([survivor.pid])
    survivor.kill()
    survivor.wait()

    assert workers.end_survivors() == 0


def test_another_process_with_the_same_pid_is_left_alone(
    workers: WorkerList, survivor: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    (tmp_path / "workers").write_text(f"{survivor.pid} another-start\n")

    assert workers.end_survivors() == 0
    assert survivor.poll() is None


def test_no_list_is_no_survivor(workers: WorkerList) -> None:
    assert workers.end_survivors() == 0


@pytest.mark.parametrize("content", [b"", b"\0\0\0\0", b"12\n", b"x y\n", b"\xff\xfe 1\n"])
def test_a_list_damaged_by_a_power_cut_stops_nobody(workers: WorkerList, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "workers").write_bytes(content)

    assert workers.end_survivors() == 0


def test_only_workers_alive_are_noted(workers: WorkerList, survivor: subprocess.Popen[bytes], tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    workers.write([survivor.pid, gone.pid])

    assert [line.split()[0] for line in (tmp_path / "workers").read_text().splitlines()] == [str(survivor.pid)]


def test_a_worker_that_cannot_be_ended_refuses_the_start(
    workers: WorkerList, survivor: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    workers.write([survivor.pid])
    monkeypatch.setattr(os, "killpg", lambda pid, number: None)
    monkeypatch.setattr(rescue, "_LONGEST_SECONDS", 0.01)

    with pytest.raises(StoreError, match=f"worker {survivor.pid}"):
        workers.end_survivors()


def test_everything_a_dead_runner_left_is_taken_back(tmp_path: Path) -> None:
    store = open_store(tmp_path / "defer.db")
    count = A_TURN + 1
    insert(store, *(call() for _ in range(count)))
    start(store, limits(), limit=count)
    lost = take_back(store)
    store.close()
    reader = open_reader(tmp_path / "defer.db")
    counts = reader.counts()
    reader.close()

    assert len(lost) == count
    assert counts == {("compute", State.CREATED): count}


def test_what_waits_since_runners_before_the_last_one_counts_though_nothing_was_lost_now(tmp_path: Path) -> None:
    store = open_store(tmp_path / "defer.db")
    insert(store, call())
    found = []
    for _ in range(2):
        start(store, limits())
        found.append(put_right(store))
    found.append(put_right(store))
    store.close()

    assert [(len(left.lost), left.has_suspects) for left in found] == [(1, False), (1, True), (0, True)]
