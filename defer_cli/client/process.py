"""The sender of this process, from its first call to the end of the process; a forked child has its own."""

from __future__ import annotations

import atexit
import os
import sys
import threading

from defer_cli.client.delivery import log
from defer_cli.client.lanes import forget_lanes
from defer_cli.client.sender import Sender

DRAIN_SECONDS = 10.0
_AFTER_OTHERS = -100  # exit priority among multiprocessing's finalizers: those of others may still make calls

_is_registered = False


def sender() -> Sender:
    """Return the sender of this process."""
    return _sender


def drain() -> None:
    """Wait until the calls of this process are on disk, at most 10 s; log how many are not."""
    left = _sender.drain(DRAIN_SECONDS)
    if left:
        log.error(
            "%s call(s) are unconfirmed after %g s at the end of the process: unknown whether stored",
            left,
            DRAIN_SECONDS,
        )


def _on_start() -> bool:
    """See to the end of the process before the first call is sent; return whether threads still run until then."""
    global _is_registered
    if not _is_registered:
        _is_registered = True
        atexit.register(drain)
    multiprocessing = sys.modules.get("multiprocessing.util")
    if multiprocessing is not None:  # its children end by os._exit, which skips atexit
        multiprocessing.Finalize(None, drain, exitpriority=_AFTER_OTHERS)
    return threading.main_thread().is_alive()


def _begin_anew() -> None:
    global _sender
    _sender = Sender(on_start=_on_start)
    forget_lanes()


_sender = Sender(on_start=_on_start)
os.register_at_fork(after_in_child=_begin_anew)
