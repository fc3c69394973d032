"""Unix sockets by path: connecting, listening, long paths, and who is at the other end."""

from __future__ import annotations

import os
import resource
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Protocol

from defer_cli.link.ownership import give_to_owner

BACKLOG = 1024
"""Callers that may wait for the runner to take them; those beyond wait in ``connect``."""
_DESCRIPTORS = 4096
_LONGEST_PATH = 100  # the kernel takes 107 bytes (man 7 unix)
_CREDENTIALS = struct.Struct("3i")
_TIMEVAL = struct.Struct("ll")
_NO_LIMIT = _TIMEVAL.pack(0, 0)


class _Peer(Protocol):
    def getsockopt(self, level: int, optname: int, buflen: int, /) -> bytes: ...


def connect(path: str, *, timeout_seconds: float) -> socket.socket:
    """Return a blocking socket connected to ``path``.

    Raises ``OSError``, also when nobody listens; ``TimeoutError`` when too many wait there before this one.
    """
    end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # With settimeout the kernel would not wait for room in the backlog, but refuse at once (man 2 connect).
        limit_sending(end, timeout_seconds)
        with _short_path(path) as short:
            end.connect(short)
        end.getpeername()  # raises when a signal ended the wait: Python then takes the socket for connected
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _NO_LIMIT)
    except BlockingIOError:
        end.close()
        raise TimeoutError(f"nobody took the connection within {timeout_seconds:g} s") from None
    except BaseException:
        end.close()
        raise
    return end


def limit_sending(end: socket.socket, seconds: float) -> None:
    """Let a blocking socket wait at most ``seconds`` for room, then raise ``BlockingIOError``."""
    whole, fraction = divmod(seconds, 1)
    end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _TIMEVAL.pack(int(whole), int(fraction * 1_000_000)))


def listen(path: str, *, backlog: int = BACKLOG) -> socket.socket:
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
    except TimeoutError:  # a queue forms only where somebody listens
        return True
    return True


def peer_uid(peer: _Peer) -> int:
    """Return the user id of the process at the other end."""
    given = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(given)[1])


def is_allowed_peer(peer: _Peer) -> bool:
    """Return whether the process at the other end is of this user, or root's."""
    return peer_uid(peer) in (0, os.geteuid())


def raise_descriptor_limit() -> None:
    """Let this process hold the descriptors of all its callers; the usual soft limit has room for half of them.

    It goes no higher than that: children inherit it, and ``select`` in one of them knows no descriptor over 1,023.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


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
