"""Unix sockets by path."""

from __future__ import annotations

import os
import resource
import socket
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from defer_cli.link.sockets import connect, is_allowed_peer, is_answered, listen, peer_uid, raise_descriptor_limit


@pytest.mark.parametrize("depth", [1, 12])
def test_a_path_of_any_length_is_reached(tmp_path: Path, depth: int) -> None:
    path = str(tmp_path / "/".join(["a-long-folder-name"] * depth) / "runner.sock")
    os.makedirs(os.path.dirname(path))
    with listen(path) as listener, connect(path, timeout_seconds=5) as end:
        other, _ = listener.accept()
        with other:
            end.sendall(b"hello")
            assert other.recv(5) == b"hello"
    assert (len(path) > 107) is (depth == 12)


def test_a_socket_that_is_left_over_is_not_answered_and_can_be_replaced(tmp_path: Path) -> None:
    path = str(tmp_path / "runner.sock")
    assert not is_answered(path)
    listen(path).close()
    assert not is_answered(path)
    with listen(path):
        assert is_answered(path)


def test_a_socket_is_its_owners_only(tmp_path: Path) -> None:
    path = str(tmp_path / "runner.sock")
    with listen(path):
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


def test_the_same_user_and_root_are_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(tmp_path / "runner.sock")
    with listen(path), connect(path, timeout_seconds=5) as end:
        assert peer_uid(end) == os.geteuid()
        assert is_allowed_peer(end)
        monkeypatch.setattr("defer_cli.link.sockets.peer_uid", lambda peer: os.geteuid() + 1)
        assert not is_allowed_peer(end)


def test_where_too_many_wait_a_caller_waits_for_its_turn(tmp_path: Path) -> None:
    path = str(tmp_path / "runner.sock")
    with listen(path, backlog=0) as listener, connect(path, timeout_seconds=5):
        with pytest.raises(TimeoutError, match="nobody took the connection"):
            connect(path, timeout_seconds=0.05)
        with ThreadPoolExecutor() as pool:
            waiting = pool.submit(connect, path, timeout_seconds=20)
            listener.accept()[0].close()
            waiting.result(20).close()


def test_a_socket_where_too_many_wait_is_answered(tmp_path: Path) -> None:
    path = str(tmp_path / "runner.sock")
    with listen(path, backlog=0), connect(path, timeout_seconds=5):
        assert is_answered(path, timeout_seconds=0.05)


def test_a_connection_sends_without_a_limit(tmp_path: Path) -> None:
    path = str(tmp_path / "runner.sock")
    with listen(path), connect(path, timeout_seconds=5) as end:
        assert not any(end.getsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, 16))


def test_the_limit_of_descriptors_is_raised(few_descriptors: int) -> None:
    raise_descriptor_limit()

    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (min(4096, few_descriptors), few_descriptors)


def test_a_higher_limit_of_descriptors_is_left_alone(few_descriptors: int) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (few_descriptors, few_descriptors))
    raise_descriptor_limit()

    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (few_descriptors, few_descriptors)


@pytest.fixture
def few_descriptors() -> Iterator[int]:
    """Lower the soft limit for a test; give the hard one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
