"""New ids for ordinary calls, without a system call each."""

from __future__ import annotations

import os
from collections import deque
from time import time_ns

from defer_cli.domain.ids import TAIL_LENGTH, random_tails, time_ordered_id

_DRAWN_AT_ONCE = 512
_tails: deque[str] = deque()


def fresh_id() -> str:
    """Return a new id, ordered by time.

    ``os.urandom`` lets go of the interpreter's lock; once a call, it would hand the processor to the sender each time.
    """
    try:
        tail = _tails.popleft()
    except IndexError:
        tail, *rest = random_tails(os.urandom(TAIL_LENGTH * _DRAWN_AT_ONCE))
        _tails.extend(rest)
    return time_ordered_id(time_ns() // 1_000_000, tail)


os.register_at_fork(after_in_child=_tails.clear)
