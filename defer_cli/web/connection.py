"""One HTTP connection: uvicorn's, with deadlines and caps of our own, for it has none."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Literal

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from defer_cli.link.reading import READ_BYTES, Reading
from defer_cli.web.answers import failure
from defer_cli.web.crowd import Crowd
from defer_cli.web.refusals import RefusalLog

MOST_BODY = (1 << 20) + (64 << 10)
MOST_HEAD = 32 << 10
MOST_URL = 8 << 10
MOST_HEADERS = 100
MOST_PIPELINED = 8
_MOST_RAW = 4 * MOST_BODY
"""Of one request as it travels: chunks of a few bytes are mostly frames."""
_NOT_AT_ALL = struct.pack("ii", 1, 0)  # man 7 socket, SO_LINGER

Stage = Literal["head", "body", "answer", "idle", "end"]
SECONDS: dict[Stage, float] = {"head": 10.0, "body": 30.0, "answer": float("inf"), "idle": 75.0, "end": 2.0}
"""How long we wait at most. Idle is longer than clients keep a connection: ``@defer/client`` never tries again, so
we must not be who closes first."""
READ_ANSWER_SECONDS = 60.0


class _Refused(Exception):
    """Thrown through the parser, which stops it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message


class Connection(HttpToolsProtocol, Reading):
    """Ends when its peer takes too long or sends too much; ``look`` has to be called every second or so."""

    def __init__(self, config: Config, state: ServerState, crowd: Crowd, log: RefusalLog) -> None:
        super().__init__(config, state, {})
        self.access_log = False
        self._crowd = crowd
        self._log = log
        self._stage: Stage = "head"
        self._since = 0.0
        self._fed = 0
        self._raw = 0
        self._body = 0
        self._lingered = 0
        self._unread = 0
        self._is_unread_first = False
        self._unread_since = 0.0

    # The peer.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a caller in, or turn it away where there is no room."""
        super().connection_made(transport)  # type: ignore[arg-type]
        self._reach("head")
        if not self._crowd.add(self, self._since):
            self._say(503, "there are too many connections")
            self.transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        """Forget the caller."""
        self._crowd.remove(self)
        self._let_go()
        self.resume_writing()
        super().connection_lost(error)

    def data_received(self, data: bytes) -> None:
        """Parse what came; what cannot be a request of ours ends the connection."""
        if self._stage == "end":
            self._linger(len(data))
            return
        self._fed = len(data)
        try:
            self._feed(data)
        except httptools.HttpParserError as error:
            refused = error.__context__
            if isinstance(refused, _Refused):
                self._refuse(refused.status, refused.message)
            else:
                self._refuse(400, "this is not valid HTTP")
            return
        if self._stage in ("head", "body"):
            self._wait_for_more(len(data))

    def _feed(self, data: bytes) -> None:
        """Parse; who asks for another protocol goes on with this one, as it may (RFC 9110, 7.8)."""
        while data:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                data = data[upgrade.args[0] :]
            else:
                return

    def _wait_for_more(self, size: int) -> None:
        """A request is not whole yet: see that it is not too much."""
        self._raw += size
        if self._stage == "head" and self._raw > MOST_HEAD + READ_BYTES:
            self._refuse(431, f"the headers are over {MOST_HEAD:,} bytes")
        elif self._raw > _MOST_RAW:
            self._refuse(413, f"the request is over {_MOST_RAW:,} bytes as it travels")
        elif not self._crowd.hold(size, self.loop.time()):
            self._raw -= size
            self._crowd.let_go(size)
            self._refuse(503, "too many large requests are on their way")

    # The parser.

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        if self._stage != "head":
            self._reach("head")

    def on_headers_complete(self) -> None:
        """Check the head, then hand the request to the application."""
        if self._raw + self._fed > MOST_HEAD and self._head_size() > MOST_HEAD:
            raise _Refused(431, f"the headers are over {MOST_HEAD:,} bytes")
        if len(self.headers) > MOST_HEADERS:
            raise _Refused(431, f"there are more than {MOST_HEADERS} headers")
        if len(self.url) > MOST_URL:
            raise _Refused(414, f"the address is over {MOST_URL:,} bytes")
        if not self.url.startswith(b"/"):
            raise _Refused(400, "the request has to name a path: this is no proxy")
        if len(self.pipeline) >= MOST_PIPELINED:
            raise _Refused(400, f"more than {MOST_PIPELINED} requests were sent before an answer")
        for name, value in self.headers:
            if name == b"content-length":
                if int(value) > MOST_BODY:
                    raise _Refused(413, f"the body is over {MOST_BODY:,} bytes")
                has_body = int(value) > 0
            elif name == b"transfer-encoding":
                has_body = True
            else:
                continue
            if has_body and self.parser.should_upgrade():  # the parser would take the body for the next request
                raise _Refused(400, "a request with a body cannot ask for another protocol")
        super().on_headers_complete()
        self.headers = []  # trailers are not headers
        self._body = 0
        self._reach("body")

    def _head_size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self._body += len(body)
        if self._body > MOST_BODY:
            raise _Refused(413, f"the body is over {MOST_BODY:,} bytes")
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        super().on_message_complete()
        if len(self.headers) > MOST_HEADERS:
            raise _Refused(431, f"there are more than {MOST_HEADERS} trailers")
        self._let_go()
        self._reach("idle" if self.cycle.response_complete else "answer")

    def on_response_complete(self) -> None:
        """Go on with the next request."""
        self.server_state.total_requests += 1
        if self.flow.write_paused:  # what the peer leaves unread is held for it: one answer, not two
            self._is_unread_first = True
            self.flow.pause_reading()
        else:
            self._go_on()

    def _go_on(self) -> None:
        if self.transport.is_closing():
            self._reach("end")
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif self._stage == "answer":
            self._reach("idle")

    # How long, how much.

    def _reach(self, stage: Stage) -> None:
        self._stage = stage
        self._since = self.loop.time()

    def _let_go(self) -> None:
        if self._raw:
            self._crowd.let_go(self._raw)
            self._raw = 0

    def look(self, now: float) -> None:
        """End the connection when its peer is late."""
        if self._unread and now - self._unread_since > READ_ANSWER_SECONDS:
            self._log.tell(408, "an answer was not read in time")
            self._hang_up()
        elif self.transport.is_closing():
            self._end_closing(now)
        elif now - self._since <= SECONDS[self._stage]:
            pass
        elif self._stage == "end":
            self._hang_up()
        elif self._stage == "idle" or (self._stage == "head" and not self._raw):
            self.transport.close()
        elif self.flow.read_paused:  # it is our own doing that nothing comes
            self._since = now
        else:
            self._refuse(408, f"the {self._stage} did not come within {SECONDS[self._stage]:g} s")

    def _end_closing(self, now: float) -> None:
        """Hang up where closing waits for a peer that does not read the last of its answer."""
        if self._stage != "end":
            self._reach("end")
        elif now - self._since > READ_ANSWER_SECONDS:
            self._hang_up()

    def slowness(self) -> tuple[bool, float] | None:
        """Return whether the peer is only idle, and since when we wait for it; None: it waits for us."""
        if self._unread:
            return False, self._unread_since
        return None if self._stage == "answer" else (self._stage == "idle", self._since)

    def held(self) -> int:
        """Return how many bytes are held for the peer."""
        return self._raw + self._unread

    def give_up(self, why: str) -> None:
        """End the connection at once."""
        self._log.tell(503, why)
        self._stage, self._unread = "answer", self._drop_unread()
        self._let_go()
        self._hang_up()

    def pause_writing(self) -> None:
        """The peer does not read its answer as fast as it is written."""
        super().pause_writing()
        self._unread = self.transport.get_write_buffer_size()
        self._unread_since = self.loop.time()
        if not self._crowd.hold(self._unread, self._unread_since):
            self._log.tell(503, "too many answers are not read")
            self._hang_up()

    def resume_writing(self) -> None:
        """The peer has read most of its answer."""
        super().resume_writing()
        self._unread = self._drop_unread()
        if self._is_unread_first:
            self._is_unread_first = False
            self._go_on()

    def _drop_unread(self) -> int:
        self._crowd.let_go(self._unread)
        return 0

    # The end.

    def stop(self) -> None:
        """Begin nothing new; an answer that has an end is finished first, a stream of events is not."""
        if self.cycle is not None and self.cycle.chunked_encoding and not self.cycle.response_complete:
            self.transport.close()
        else:
            self.shutdown()

    def _refuse(self, status: int, message: str) -> None:
        """Answer that a request cannot be read, where the peer can still tell which one is meant; then end."""
        self._log.tell(status, message)
        cycle, is_in_body = self.cycle, self._stage == "body"
        self._reach("end")
        self._let_go()
        self.flow.resume_reading()
        if is_in_body and (cycle.response_started or self.pipeline):
            self._hang_up()
        elif is_in_body:
            cycle.disconnected = True  # the application waits for the rest
            cycle.body.clear()
            cycle.message_event.set()
            self._say(status, message)
        elif cycle is None or cycle.response_complete:
            self._say(status, message)
        else:  # requests before it are still being answered
            cycle.keep_alive = False
            self._stage = "answer"

    def _say(self, status: int, message: str) -> None:
        body = bytes(failure(status, message).body)
        headers: list[tuple[bytes, bytes]] = [
            *self.server_state.default_headers,
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        lines = [b"%b: %b\r\n" % header for header in headers]
        self.transport.write(b"".join([STATUS_LINE[status], *lines, b"\r\n", body]))
        self.transport.write_eof()

    def _hang_up(self) -> None:
        """Close at once: what the peer has not read goes too, here and in the kernel, which else would keep it."""
        end = self.transport.get_extra_info("socket")
        if end is not None:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NOT_AT_ALL)
        self.transport.abort()

    def _linger(self, size: int) -> None:
        """Throw away the little that still comes: closing at once would lose the answer (RFC 9112, 9.6)."""
        self._lingered += size
        if self._lingered > _MOST_RAW:
            self._hang_up()
