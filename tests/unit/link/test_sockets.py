"""Unix sockets by path."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from defer_cli.link.sockets import connect, is_allowed_peer, is_answered, listen, peer_uid


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
