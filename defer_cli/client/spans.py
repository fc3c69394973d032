"""Spans in OpenTelemetry's words: a call sends a message, an attempt processes it (semantic conventions, messaging)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry import context, trace
from opentelemetry.trace import Link, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from defer_cli import __version__
from defer_cli.client.delivery import Delivery, Witness
from defer_cli.client.harmless import harmless
from defer_cli.domain.traces import carried, headers

if TYPE_CHECKING:
    from defer_cli.client.context import AttemptScope
    from defer_cli.link.frames import FrameError

_CANCELLED = "asyncio.exceptions.CancelledError"
_w3c = TraceContextTextMapPropagator()
_provider: trace.TracerProvider | None = None
_tracer: trace.Tracer


def begin_call(delivery: Delivery) -> None:
    """Begin the span of a call; the call carries it, or what surrounds it where the span itself is not kept."""
    call = delivery.call
    span = _tracer_now().start_span(
        f"enqueue {call.function}",
        kind=SpanKind.PRODUCER,
        attributes=_attributes(call.id, call.function, kind="send", name="enqueue"),
    )
    carrier: dict[str, str] = {}
    _w3c.inject(carrier, trace.set_span_in_context(span))
    call.trace = carried(carrier.get("traceparent"), carrier.get("tracestate")) or call.trace
    if span.is_recording():
        delivery.waiters.append(_CallSpan(span))


class _CallSpan(Witness):
    """Ends with the answer to the call."""

    __slots__ = ("_span",)

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    @harmless
    def told(self, delivery: Delivery) -> None:
        error = delivery.fresh_error()
        if error is not None:
            _fail(self._span, type(error).__name__, str(error), "")
        self._span.end()


class RunSpan:
    """An attempt: a child of the call that made it, and linked to it; the current span from now on."""

    def __init__(self, scope: AttemptScope) -> None:
        caller = _w3c.extract(headers(scope.trace) if scope.trace else {}, context=context.Context())
        link = trace.get_current_span(caller).get_span_context()
        self._span = _tracer_now().start_span(
            f"run {scope.function}",
            context=caller,
            kind=SpanKind.CONSUMER,
            attributes={
                **_attributes(scope.id, scope.function, kind="process", name="run"),
                "defer.attempt": scope.attempt,
            },
            links=[Link(link)] if link.is_valid else None,
        )
        context.attach(trace.set_span_in_context(self._span, caller))

    def end(self, error: FrameError | None) -> None:
        """End it with what the attempt failed with, None when it returned."""
        if error is None:
            outcome = "succeed"
        else:
            outcome = "cancelled" if error.type == _CANCELLED else "raised"
            _fail(self._span, error.type, error.message, error.traceback)
        self._span.set_attribute("defer.outcome", outcome)
        self._span.end()


def flush() -> None:
    """Export what waits for it."""
    force_flush = getattr(trace.get_tracer_provider(), "force_flush", None)
    if force_flush is not None:
        force_flush()


def _tracer_now() -> trace.Tracer:
    """Return the tracer of the provider that is set now; making one costs more than a span."""
    global _provider, _tracer
    provider = trace.get_tracer_provider()
    if provider is not _provider:
        _tracer = provider.get_tracer("defer_cli", __version__)
        _provider = provider
    return _tracer


def _attributes(id: str, function: str, *, kind: str, name: str) -> dict[str, str]:
    return {
        "messaging.system": "defer",
        "messaging.operation.type": kind,
        "messaging.operation.name": name,
        "messaging.destination.name": function,
        "messaging.message.id": id,
        "defer.function": function,
        "defer.execution_id": id,
    }


def _fail(span: trace.Span, type: str, message: str, traceback: str) -> None:
    span.add_event(
        "exception",
        {"exception.type": type, "exception.message": message, "exception.stacktrace": traceback},
    )
    span.set_attribute("error.type", type)
    span.set_status(StatusCode.ERROR, f"{type}: {message}" if message else type)
