"""What connections of a loop read passes through one buffer; nothing of it is mixed up."""

from __future__ import annotations

import asyncio
import socket

from defer_cli.link.reading import READ_BYTES, Reading

DEADLINE_SECONDS = 10
LONG = bytes(range(256)) * (READ_BYTES // 64)
"""Four times what is read at once."""


class Taking(Reading):
    """Keeps what came, and tells when it is as much as was to come."""

    def __init__(self, size: int) -> None:
        self.parts: list[bytes] = []
        self.is_whole = asyncio.Event()
        self._size = size

    def data_received(self, data: bytes) -> None:
        self.parts.append(data)
        if sum(len(part) for part in self.parts) >= self._size:
            self.is_whole.set()


async def test_connections_that_share_a_buffer_get_what_was_sent_to_each() -> None:
    loop = asyncio.get_running_loop()
    pairs = [socket.socketpair() for _ in range(2)]
    sent = [LONG, LONG[::-1]]
    takers = []
    for ours, theirs in pairs:
        ours.setblocking(False)
        theirs.setblocking(False)
        taker = Taking(len(LONG))
        await loop.create_connection(lambda taker=taker: taker, sock=ours)  # type: ignore[misc]
        takers.append(taker)
    async with asyncio.timeout(DEADLINE_SECONDS):
        await asyncio.gather(*[loop.sock_sendall(theirs, data) for (_, theirs), data in zip(pairs, sent, strict=True)])
        for taker in takers:
            await taker.is_whole.wait()
    for _, theirs in pairs:
        theirs.close()

    assert [b"".join(taker.parts) for taker in takers] == sent
    assert max(len(part) for taker in takers for part in taker.parts) <= READ_BYTES
