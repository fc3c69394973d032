"""A connection of this process to the runner's socket of one data folder, and the thread that reads it."""

from __future__ import annotations

import logging
import os
import socket
from _thread import allocate_lock, start_new_thread
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from msgspec import Struct

from defer_cli.client.routes import ConnectionLost, Route, failure_error, never_wait_here
from defer_cli.domain.enqueue import Enqueue
from defer_cli.domain.errors import DeferError
from defer_cli.link.frames import PROTOCOL, Enqueued, Enqueues, Failure, FrameReader, FromRunner, Hello, encode_frame
from defer_cli.link.project import DataFolder
from defer_cli.link.reading import READ_BYTES
from defer_cli.link.sockets import connect, limit_sending, peer_uid

_log = logging.getLogger("defer_cli")
_CONNECT_SECONDS = 5.0
_SEND_SECONDS = 5


class Connection(Route):
    """Says hello, then sends requests; replies are handed over on the reading thread."""

    def __init__(self, end: socket.socket) -> None:
        super().__init__()
        self._socket = end
        self._lock = allocate_lock()
        self._write(Hello(PROTOCOL, os.getpid()))
        start_new_thread(self._receive, ())

    def _write(self, message: Struct) -> None:
        data = encode_frame(message)
        with self._lock:
            self._socket.sendall(data)

    def abandon(self) -> None:
        """Close this process's copy of what belongs to the process it was forked from."""
        self._socket.close()

    def _receive(self) -> None:
        never_wait_here()
        reader = FrameReader(FromRunner)
        error: DeferError = ConnectionLost("the runner closed the connection")
        try:
            while data := self._socket.recv(READ_BYTES):
                for frame in reader.feed(data):
                    self._take(frame)
        except OSError as raised:
            error = ConnectionLost(f"the runner went away: {raised}")
        except DeferError as raised:
            error = raised
        except Exception:
            _log.exception("a reply of the runner could not be taken")
        with suppress(OSError):  # a sender that waits for room wakes up by this
            self._socket.shutdown(socket.SHUT_RDWR)
        self.lost(error)
        with self._lock:
            self._socket.close()

    def _take(self, frame: Any) -> None:
        if isinstance(frame, Hello):
            _check_hello(frame)
        elif isinstance(frame, Failure) and frame.number == 0:
            raise failure_error(frame)
        else:
            self.deliver(frame)


def _check_hello(hello: Hello) -> None:
    if hello.protocol != PROTOCOL:
        raise DeferError(
            f"the runner (pid {hello.pid}) speaks protocol {hello.protocol}, this process {PROTOCOL}",
            mend="use one version of defer in both, and restart the older one",
        )


def dial(folder: DataFolder) -> socket.socket | None:
    """Return a socket connected to the runner that owns ``folder``, None when none is alive.

    Raises ``OSError``, and ``DeferError`` when somebody else listens there.
    """
    try:
        end = connect(folder.socket, timeout_seconds=_CONNECT_SECONDS)
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
        return None
    owner = peer_uid(end)
    if owner not in (0, os.geteuid()) and os.geteuid() != 0:
        end.close()
        raise DeferError(
            f"the runner belongs to another user (uid {owner})", where=folder.socket, mend="run both as one user"
        )
    limit_sending(end, _SEND_SECONDS)
    return end


def exchange(end: socket.socket, calls: Sequence[Enqueue], *, timeout_seconds: float) -> Enqueued:
    """Send calls and read the answer on this very thread: for when no other will run any more.

    Raises ``OSError`` or ``DeferError``.
    """
    with end:
        end.settimeout(timeout_seconds)
        end.sendall(encode_frame(Hello(PROTOCOL, os.getpid())) + encode_frame(Enqueues(1, list(calls))))
        reader = FrameReader(FromRunner)
        while data := end.recv(READ_BYTES):
            for frame in reader.feed(data):
                if isinstance(frame, Failure):
                    raise failure_error(frame)
                if isinstance(frame, Enqueued):
                    return frame
    raise ConnectionLost("the runner closed the connection")
