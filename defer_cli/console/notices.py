"""One line at the top of a page about what was just done; the address only says which line, never its words."""

from __future__ import annotations

import re
from collections.abc import Mapping

from defer_cli.console.words import plural

_COUNT = re.compile(r"[0-9]{1,9}", re.ASCII)
_NOTICES = {
    "rerun": "This execution is the rerun.",
    "cancelled": "Cancelled.",
    "aborting": "It is being aborted.",
    "rescheduled": "Rescheduled.",
    "triggered": "Enqueued.",
    "held": "This execution holds the key already; nothing was enqueued.",
    "paused": "Paused. Its ticks are skipped until it is resumed.",
    "resumed": "Resumed. It fires at its next tick.",
    "signed-out": "Signed out.",
}
_COUNTED = {
    "reran": "{} enqueued once more.",
    "many-cancelled": "{} cancelled.",
    "many-aborted": "{} cancelled, or being aborted.",
}


def notice(query: Mapping[str, str]) -> str | None:
    """Return the line that an address asks for, None for none."""
    name = query.get("done", "")
    if name in _COUNTED:
        count = query.get("n", "")
        return _COUNTED[name].format(plural(int(count), "execution")) if _COUNT.fullmatch(count) else None
    return _NOTICES.get(name)
