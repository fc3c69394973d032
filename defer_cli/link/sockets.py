"""Unix sockets by path: connecting, listening, long paths, and who is at the other end."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Protocol

from defer_cli.link.ownership import give_to_owner

_LONGEST_PATH = 100  # the kernel takes 107 bytes (man 7 unix)
_CREDENTIALS = struct.Struct("3i")


class _Peer(Protocol):
    def getsockopt(self, level: int, optname: int, buflen: int, /) -> bytes: ...


def connect(path: str, *, timeout_seconds: float) -> socket.socket:
    """Return a blocking socket connected to ``path``; raises ``OSError``, also when nobody listens."""
    end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        end.settimeout(timeout_seconds)
        with _short_path(path) as short:
            end.connect(short)
        end.settimeout(None)
    except BaseException:
        end.close()
        raise
    return end


def listen(path: str, *, backlog: int = 1024) -> socket.socket:
    """Return a listening socket at ``path``, mode 0600; the caller holds the lock that makes it the only one."""
    end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _short_path(path) as short:
            with suppress(FileNotFoundError):
                os.unlink(path)
            end.bind(short)
            os.chmod(path, 0o600)
            give_to_owner(path, os.path.dirname(path))
            end.listen(backlog)
    except BaseException:
        end.close()
        raise
    return end


def is_answered(path: str, *, timeout_seconds: float = 5.0) -> bool:
    """Return whether somebody listens at ``path``."""
    try:
        connect(path, timeout_seconds=timeout_seconds).close()
    except (FileNotFoundError, ConnectionRefusedError):
        return False
    return True


def peer_uid(peer: _Peer) -> int:
    """Return the user id of the process at the other end."""
    given = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(given)[1])


def is_allowed_peer(peer: _Peer) -> bool:
    """Return whether the process at the other end is of this user, or root's."""
    return peer_uid(peer) in (0, os.geteuid())


@contextmanager
def _short_path(path: str) -> Iterator[str]:
    """Give a path the kernel takes: one that is too long goes through its folder's descriptor."""
    if len(os.fsencode(path)) <= _LONGEST_PATH:
        yield path
        return
    folder, name = os.path.split(path)
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{name}"
    finally:
        os.close(descriptor)
