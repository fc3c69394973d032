"""Speaks to the service manager that has started this process, in the words of sd_notify(3)."""

from __future__ import annotations

import os
import socket
from collections.abc import MutableMapping
from contextlib import suppress

_LONGEST_SECONDS = 1.0


class ServiceManager:
    """Whoever listens at ``NOTIFY_SOCKET``: systemd, or a program that does as it does."""

    def __init__(self, address: str, *, watchdog_seconds: float | None = None, knows_our_pid: bool = True) -> None:
        self._address = "\0" + address[1:] if address.startswith("@") else address  # an abstract one: man 7 unix
        self.watchdog_seconds = watchdog_seconds
        """How long it may hear nothing before it kills this process; None: for ever."""
        self.knows_our_pid = knows_our_pid
        """Whether the number this process has in here is the one it has out there."""

    def tell(self, **words: str | int) -> None:
        """Send a message; a manager that cannot be reached is not worth a failure."""
        lines = [f"{name}={str(value).replace(os.linesep, ' ')}" for name, value in words.items()]
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
            end.settimeout(_LONGEST_SECONDS)
            end.sendto("\n".join(lines).encode("utf-8", "backslashreplace"), self._address)


def take_manager(environ: MutableMapping[str, str], *, knows_our_pid: bool = True) -> ServiceManager | None:
    """Return the manager that ``environ`` names, None when there is none.

    What it says of it is removed: no process that is started from here on may speak for this one.
    """
    address = environ.pop("NOTIFY_SOCKET", "")
    span, pid = environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", "")
    if not address.startswith(("/", "@")):
        return None
    is_watched = span.isdecimal() and int(span) > 0 and pid in {"", str(os.getpid())}
    watchdog_seconds = int(span) / 1e6 if is_watched else None
    return ServiceManager(address, watchdog_seconds=watchdog_seconds, knows_our_pid=knows_our_pid)
