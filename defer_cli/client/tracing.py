"""Whether this program traces, and spans of its calls and attempts where it does; without, it costs a look.

Nothing of OpenTelemetry is imported before the program itself has: until then nobody can have set it up.
"""

from __future__ import annotations

import sys
from threading import Thread
from typing import TYPE_CHECKING

from defer_cli.client.harmless import harmless

if TYPE_CHECKING:
    from defer_cli.client.context import AttemptScope
    from defer_cli.client.delivery import Delivery
    from defer_cli.client.spans import RunSpan
    from defer_cli.link.frames import FrameError


def is_traced() -> bool:
    """Return whether the program has loaded OpenTelemetry."""
    return "opentelemetry.trace" in sys.modules


@harmless
def trace_call(delivery: Delivery) -> None:
    """Begin the span of a call, which ends when it is stored or refused; the call carries it."""
    from defer_cli.client.spans import begin_call

    begin_call(delivery)


@harmless
def trace_run(scope: AttemptScope) -> RunSpan:
    """Begin the span of an attempt, and make it the current one."""
    from defer_cli.client.spans import RunSpan

    return RunSpan(scope)


@harmless
def end_run(span: RunSpan, error: FrameError | None) -> None:
    """End the span of an attempt with what it failed with, if it did."""
    span.end(error)


def flush_spans(seconds: float) -> None:
    """Give spans that wait for their export this long to leave, before the process ends at once."""
    if is_traced():
        leaving = Thread(target=_flush, name="defer-spans", daemon=True)
        leaving.start()
        leaving.join(seconds)


@harmless
def _flush() -> None:
    from defer_cli.client.spans import flush

    flush()
