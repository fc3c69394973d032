"""A data folder has one owner: a runner for life, or a command for its moment."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from defer_cli.domain.disk import CHECK_DISK
from defer_cli.domain.errors import StoreError
from defer_cli.link import lock

_HOLD = """
import sys
from pathlib import Path
from defer_cli.link.lock import own
with own(Path(sys.argv[1]), sys.argv[2]):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runner.lock"


@contextmanager
def held(path: Path, holder: str) -> Iterator[subprocess.Popen[str]]:
    """Hold the lock in another process for the block."""
    command = [sys.executable, "-c", _HOLD, str(path), holder]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_the_file_says_who_holds_it(path: Path) -> None:
    with lock.own(path, "runner"):
        assert json.loads(path.read_text()) == {"holder": "runner", "pid": os.getpid()}


def test_the_file_stays_and_names_nobody(path: Path) -> None:
    with lock.own(path, "command"):
        pass

    assert path.read_text() == ""


def test_the_file_is_for_its_owner_only(path: Path) -> None:
    with lock.own(path, "command"):
        assert path.stat().st_mode & 0o777 == 0o600


def test_a_second_runner_is_refused_with_the_pid_of_the_first(path: Path) -> None:
    with held(path, "runner") as first, pytest.raises(StoreError) as refusal, lock.own(path, "runner"):
        pass

    assert f"a runner (pid {first.pid})" in refusal.value.problem
    assert refusal.value.mend == "stop it first, or give this one its own --data folder"


def test_a_command_is_told_that_the_runner_changes(path: Path) -> None:
    with held(path, "runner"), pytest.raises(StoreError) as refusal, lock.own(path, "command"):
        pass

    assert refusal.value.mend == "try again: it is starting or stopping"


def test_a_runner_waits_for_a_command(path: Path) -> None:
    with held(path, "command") as command:
        assert command.stdin is not None
        command.stdin.write("\n")
        command.stdin.flush()
        with lock.own(path, "runner"):
            assert json.loads(path.read_text())["pid"] == os.getpid()


def test_a_command_that_does_not_let_go_is_named(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "COMMAND_WAIT", timedelta(milliseconds=50))
    with held(path, "command") as command, pytest.raises(StoreError) as refusal, lock.own(path, "runner"):
        pass

    assert f"a command (pid {command.pid})" in refusal.value.problem


def test_a_holder_that_was_killed_holds_nothing(path: Path) -> None:
    with held(path, "runner") as first:
        first.kill()
        first.wait()
        with lock.own(path, "runner"):
            assert json.loads(path.read_text())["pid"] == os.getpid()


@pytest.mark.parametrize("nth", [1, 2])
def test_a_disk_that_fails_at_its_file_is_told_at_the_beginning_and_at_the_end(
    path: Path, monkeypatch: pytest.MonkeyPatch, nth: int
) -> None:
    failures = iter([number == nth for number in (1, 2)])

    def truncate(descriptor: int, length: int) -> None:
        if next(failures):
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "ftruncate", truncate)
    with pytest.raises(StoreError, match="Input/output error") as failed, lock.own(path, "runner"):
        pass

    assert (failed.value.where, failed.value.mend) == (str(path), CHECK_DISK)


def test_a_holder_whose_block_raises_lets_go(path: Path) -> None:
    with pytest.raises(ValueError), lock.own(path, "runner"):
        raise ValueError
    with lock.own(path, "runner"):
        pass


def test_a_runner_that_no_longer_lives_refuses_nobody(path: Path) -> None:
    """Between its lock and its first word a command's file still names the runner that was killed."""
    with held(path, "command") as holder, ThreadPoolExecutor() as pool:
        path.write_text(json.dumps({"holder": "runner", "pid": 2**22 + 1}))
        waiting = pool.submit(_own_once, path)
        with pytest.raises(TimeoutError):
            waiting.result(timeout=0.2)
        assert holder.stdin is not None
        holder.stdin.write("\n")
        holder.stdin.flush()

        assert waiting.result(timeout=10)


def _own_once(path: Path) -> bool:
    with lock.own(path, "runner"):
        return True


def test_a_folder_that_nobody_owns_is_kept_free_and_nothing_is_written(path: Path) -> None:
    with lock.kept_free(path) as owner:
        assert owner is None
    assert not path.exists()
    path.write_text("as it was")
    with lock.kept_free(path) as owner:
        assert owner is None

    assert path.read_text() == "as it was"


def test_a_folder_that_is_owned_is_not_kept_free_and_its_owner_is_named(path: Path) -> None:
    with held(path, "runner") as runner, lock.kept_free(path) as owner:
        assert owner == f"a runner (pid {runner.pid})"


def test_a_runner_waits_while_a_folder_is_kept_free(path: Path) -> None:
    path.touch()
    order: list[str] = []

    def own() -> None:
        with lock.own(path, "runner"):
            order.append("owned")

    with ThreadPoolExecutor(max_workers=1) as thread, lock.kept_free(path):
        thread.submit(own)
        with pytest.raises(BlockingIOError), path.open() as other:
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        order.append("let go")

    assert order == ["let go", "owned"]
