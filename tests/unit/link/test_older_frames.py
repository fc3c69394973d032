"""Calls of a version that knew no traces, in frames and in the inbox, are read; and it reads ours."""

from __future__ import annotations

import msgspec
import pytest
from msgspec import Struct

from defer_cli.domain.enqueue import Enqueue
from defer_cli.link.frames import StartItem

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class OlderEnqueue(Struct, array_like=True):
    """A call, up to the last field it had."""

    id: str
    function: str
    arguments: bytes
    called_us: int
    scheduled_us: int | None = None
    discard_us: int | None = None
    metadata: dict[str, str] | None = None
    key: str | None = None
    parent: str | None = None
    call_hash: bytes | None = None
    came_from: str = "call"
    rerun_of: str | None = None


class OlderStart(Struct, array_like=True):
    """An attempt to run, up to the last field it had."""

    seq: int
    id: str
    attempt: int
    function: int
    arguments: bytes | None
    deadline_us: int
    metadata: bytes | None = None
    marked: dict[bytes, int] | None = None


OLDER = OlderEnqueue("01kb", "send", b"[]", 1, key="weekly")
NEWER = Enqueue("01kb", "send", b"[]", 1, key="weekly", trace=TRACE)


@pytest.mark.parametrize(
    ("older", "newer", "newer_kind"),
    [
        (OLDER, NEWER, Enqueue),
        (OlderStart(1, "01kb", 1, 0, None, 5), StartItem(1, "01kb", 1, 0, None, 5, trace=TRACE), StartItem),
    ],
    ids=["call", "start"],
)
def test_either_version_reads_what_the_other_writes(older: Struct, newer: Struct, newer_kind: type[Struct]) -> None:
    read = msgspec.msgpack.decode(msgspec.msgpack.encode(older), type=newer_kind)

    assert read == msgspec.structs.replace(newer, trace=None)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(newer), type=type(older)) == older
