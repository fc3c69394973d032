"""Reading from sockets into a buffer that is kept."""

from __future__ import annotations

import asyncio
import threading
from abc import abstractmethod

READ_BYTES = 1 << 16
"""So much is read at once. Who reads into a new buffer has the C library map and unmap it each time from 128 KiB on
(``M_MMAP_THRESHOLD``, man 3 mallopt), which takes eight times as long as to read a small frame."""


class _Buffer(threading.local):
    """A thread runs one loop at a time, and what was read is taken before the next read: one buffer does for all."""

    def __init__(self) -> None:
        self.view = memoryview(bytearray(READ_BYTES))


_buffer = _Buffer()


class Reading(asyncio.BufferedProtocol):
    """What loops call to read: ``data_received`` gets what came, as in ``asyncio.Protocol``, which reads 256 KiB."""

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return where to read to."""
        return _buffer.view

    def buffer_updated(self, nbytes: int) -> None:
        """Hand on what was read."""
        self.data_received(bytes(_buffer.view[:nbytes]))

    @abstractmethod
    def data_received(self, data: bytes) -> None:
        """Take what came."""
