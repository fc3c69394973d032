"""New ids for ordinary calls, without a system call each."""

from __future__ import annotations

import os
from collections import deque
from time import time_ns

from defer_cli.domain.ids import time_ordered_id

_DRAWN_AT_ONCE = 512
_BYTES = 10
_drawn: deque[int] = deque()


def fresh_id() -> str:
    """Return a new id, ordered by time.

    ``os.urandom`` lets go of the interpreter's lock; once a call, it would hand the processor to the sender each time.
    """
    try:
        random = _drawn.popleft()
    except IndexError:
        random, *rest = _draw()
        _drawn.extend(rest)
    return time_ordered_id(time_ns() // 1_000_000, random)


def _draw() -> list[int]:
    raw = os.urandom(_BYTES * _DRAWN_AT_ONCE)
    return [int.from_bytes(raw[start : start + _BYTES], "big") for start in range(0, len(raw), _BYTES)]


os.register_at_fork(after_in_child=_drawn.clear)
