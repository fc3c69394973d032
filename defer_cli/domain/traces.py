"""The trace that an execution carries: a W3C traceparent, and a tracestate behind a space where there is one."""

from __future__ import annotations

import re

LONGEST_STATE = 512
"""What every system should pass on (W3C Trace Context, 3.3.1.5); a longer one is left behind."""
_PARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.DOTALL
)


def carried(traceparent: str | None, tracestate: str | None = None) -> str | None:
    """Return what an execution carries; None where there is no parent, or one that nobody could read.

    Of a version that is newer than ours, what every version has is carried (https://www.w3.org/TR/trace-context/).
    """
    if not traceparent:
        return None
    found = _PARENT.fullmatch(traceparent)
    if found is None or (found[4] and traceparent.startswith("00")):
        return None
    parent = f"00-{found[1]}-{found[2]}-{found[3]}"
    if not tracestate or len(tracestate) > LONGEST_STATE or not (tracestate.isascii() and tracestate.isprintable()):
        return parent
    return f"{parent} {tracestate}"


def headers(trace: str) -> dict[str, str]:
    """Return what is carried by the names that requests have for it."""
    parent, _, state = trace.partition(" ")
    return {"traceparent": parent, "tracestate": state} if state else {"traceparent": parent}
