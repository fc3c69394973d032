"""The frames that travel between processes: length-prefixed msgpack, many items a frame."""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec
from msgspec import Struct

from defer_cli.domain.enqueue import Enqueue, Refused, Stored
from defer_cli.domain.errors import DeferError
from defer_cli.domain.log_chunk import LogChunk

PROTOCOL = 1
LARGEST_FRAME = 4 * 1024 * 1024
_PREFIX = 4


class Hello(Struct, array_like=True, tag="hello"):
    """The first frame of a connection: which protocol the sender speaks."""

    protocol: int
    pid: int


class LoadedFunction(Struct, array_like=True):
    """A function a worker imports: its number in start frames, its name, module and file."""

    number: int
    name: str
    module: str
    file: str


class Load(Struct, array_like=True, tag="load"):
    """To a worker: import these functions, then say ``Ready``."""

    project: str
    folder: str
    functions: list[LoadedFunction]


class Ready(Struct, array_like=True, tag="ready"):
    """From a worker: the functions are imported; ``problems`` maps a function's number to what stopped it."""

    pid: int
    problems: dict[int, str]


class StartItem(Struct, array_like=True, gc=False):
    """One attempt to run. ``marked`` counts, by call hash, the earlier children that are to be made anew."""

    seq: int
    id: str
    attempt: int
    function: int
    arguments: bytes | None
    deadline_us: int
    metadata: bytes | None = None
    marked: dict[bytes, int] | None = None
    trace: str | None = None


class Start(Struct, array_like=True, tag="start"):
    """To a worker: run these, once the commit of this number stands; 0: it does."""

    items: list[StartItem]
    commit: int = 0


class Stands(Struct, array_like=True, tag="stands"):
    """To a worker: the commit of this number stands; what waits for it begins."""

    commit: int


class Retract(Struct, array_like=True, tag="retract"):
    """To a worker: the commit of this number has failed; what waits for it never begins."""

    commit: int


class CancelItem(Struct, array_like=True, gc=False):
    """One attempt to cancel."""

    seq: int
    attempt: int


class Cancel(Struct, array_like=True, tag="cancel"):
    """To a worker: raise ``CancelledError`` in these."""

    items: list[CancelItem]


class FrameError(Struct, array_like=True, gc=False):
    """An exception as it travels; texts are cut by the sender."""

    type: str
    message: str
    traceback: str
    location: str | None
    is_retryable: bool


class OutcomeItem(Struct, array_like=True, gc=False):
    """What one attempt came to: a result, or an error."""

    seq: int
    attempt: int
    result: bytes | None = None
    error: FrameError | None = None


class Outcomes(Struct, array_like=True, tag="outcomes"):
    """From a worker: these attempts have ended."""

    items: list[OutcomeItem]


class Logs(Struct, array_like=True, tag="logs"):
    """From a worker: what attempts printed."""

    chunks: list[LogChunk]


class Enqueues(Struct, array_like=True, tag="enqueues"):
    """To the runner: calls, answered by ``Enqueued`` under the same number once they are on disk."""

    number: int
    calls: list[Enqueue]


class Enqueued(Struct, array_like=True, tag="enqueued"):
    """From the runner: one entry a call, None for stored as asked at ``now_us``."""

    number: int
    now_us: int
    results: list[Stored | Refused | None]


class Wait(Struct, array_like=True, tag="wait"):
    """To the runner: answer when the execution has ended; ``waiter_seq`` gives its slot back meanwhile."""

    number: int
    id: str
    waiter_seq: int = 0


class Unwait(Struct, array_like=True, tag="unwait"):
    """To the runner: nobody listens any more to the ``Wait`` of this number; there is no answer."""

    number: int


class Ended(Struct, array_like=True, tag="ended"):
    """From the runner: an awaited execution has ended."""

    number: int
    id: str
    state: str
    result: bytes | None = None
    error: bytes | None = None


class Ask(Struct, array_like=True, tag="ask"):
    """To the runner: a question or a change by name; parameters and answer are plain data."""

    number: int
    name: str
    parameters: dict[str, Any]


class Answer(Struct, array_like=True, tag="answer"):
    """From the runner: the answer to ``Ask``."""

    number: int
    value: Any = None


class Failure(Struct, array_like=True, tag="failure"):
    """From the runner: a request could not be met; ``kind`` names a class of ``domain.errors``."""

    number: int
    kind: str
    problem: str
    where: str | None = None
    mend: str | None = None
    state: str | None = None

    @classmethod
    def of(cls, number: int, error: BaseException) -> Failure:
        """Return ``error`` as the answer to a request."""
        if isinstance(error, DeferError):
            state = getattr(error, "state", None)
            return cls(number, type(error).__name__, error.problem, error.where, error.mend, state)
        return cls(number, "DeferError", f"the runner failed: {type(error).__name__}: {error}")


Order: TypeAlias = Load | Start | Stands | Retract | Cancel
Reply: TypeAlias = Enqueued | Ended | Answer | Failure
FromWorker: TypeAlias = Hello | Ready | Outcomes | Logs | Enqueues | Wait | Unwait | Ask
ToRunner: TypeAlias = Hello | Enqueues | Wait | Unwait | Ask
FromRunner: TypeAlias = Hello | Reply

_encoder = msgspec.msgpack.Encoder()


def encode_frame(message: Struct) -> bytes:
    """Return the frame of ``message``; raise ``DeferError`` when it is over 4 MiB."""
    body = _encoder.encode(message)
    if len(body) > LARGEST_FRAME:
        raise DeferError(f"a frame of {len(body):,} bytes is over the limit of {LARGEST_FRAME:,}")
    return len(body).to_bytes(_PREFIX, "big") + body


class FrameReader:
    """Cuts a stream of bytes into decoded frames."""

    def __init__(self, kinds: object) -> None:
        self._decode = msgspec.msgpack.Decoder(kinds).decode
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Any]:
        """Return the frames that ``data`` completes; raise ``DeferError`` for a frame that is none."""
        buffer = self._buffer
        buffer += data
        frames: list[Any] = []
        position = 0
        while len(buffer) - position >= _PREFIX:
            size = int.from_bytes(buffer[position : position + _PREFIX], "big")
            if size > LARGEST_FRAME:
                raise DeferError(f"a frame of {size:,} bytes is over the limit of {LARGEST_FRAME:,}")
            end = position + _PREFIX + size
            if len(buffer) < end:
                break
            try:
                frames.append(self._decode(bytes(buffer[position + _PREFIX : end])))
            except msgspec.MsgspecError as error:
                raise DeferError(f"a frame could not be read: {error}", mend="use one version of defer") from None
            position = end
        if position:
            del buffer[:position]
        return frames
