"""Spans of calls and attempts, in this process: what they carry, when they end, and what they cost others."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opentelemetry import context, trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import NonRecordingSpan, SpanContext, StatusCode, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from defer_cli.client import calls, spans, tracing
from defer_cli.client.context import AttemptScope
from defer_cli.client.delivery import Delivery, settle
from defer_cli.client.spans import RunSpan, begin_call
from defer_cli.client.tracing import is_traced, trace_call, trace_run
from defer_cli.domain.call_options import NO_OPTIONS
from defer_cli.domain.enqueue import Enqueue, Refused
from defer_cli.domain.errors import CallRefused
from defer_cli.domain.traces import headers
from defer_cli.link.frames import FrameError

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
CARRIED = f"00-{TRACE}-{SPAN}-01"
ERROR = FrameError("shop.OutOfStock", "none left", "In your code: …", "src/defer/send.py:7", is_retryable=True)
W3C = TraceContextTextMapPropagator()
NO_ARGUMENTS = b"[]"


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[ReadableSpan]]]:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    token = context.attach(context.Context())
    yield lambda: list(exporter.get_finished_spans())
    context.detach(token)


def a_delivery() -> Delivery:
    lane: Any = None
    return Delivery(Enqueue("01kb", "send", NO_ARGUMENTS, 1), lane, None)


def _parent(delivery: Delivery) -> SpanContext:
    """Return what a call carries, as whoever follows it reads it."""
    carried = W3C.extract(headers(delivery.call.trace or ""))
    return trace.get_current_span(carried).get_span_context()


def a_scope(carried: str | None = CARRIED) -> AttemptScope:
    return AttemptScope(id="01kb", function="send", attempt=2, deadline_us=0, trace=carried)


def test_a_call_carries_its_span_and_ends_it_when_it_is_stored(exported: Callable[[], list[ReadableSpan]]) -> None:
    delivery = a_delivery()
    begin_call(delivery)
    assert exported() == []

    settle([delivery], [5])
    (span,) = exported()

    assert _parent(delivery)[:2] == (span.context.trace_id, span.context.span_id)
    assert span.status.status_code is StatusCode.UNSET
    assert span.attributes is not None
    assert span.attributes["messaging.operation.type"] == "send"
    assert span.attributes["messaging.message.id"] == "01kb"


@pytest.mark.parametrize("outcome", [Refused("01kb", "no"), CallRefused("no")], ids=["refused", "error"])
def test_a_call_that_is_not_stored_says_why(exported: Callable[[], list[ReadableSpan]], outcome: Any) -> None:
    delivery = a_delivery()
    begin_call(delivery)
    settle([delivery], [outcome])
    (span,) = exported()

    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes is not None
    assert span.attributes["error.type"] == "CallRefused"


def test_a_vendors_state_is_carried_too(exported: Callable[[], list[ReadableSpan]]) -> None:
    state = trace.TraceState([("vendor", "a")])
    parent = SpanContext(int(TRACE, 16), int(SPAN, 16), is_remote=True, trace_flags=TraceFlags(1), trace_state=state)
    token = context.attach(trace.set_span_in_context(NonRecordingSpan(parent)))
    delivery = a_delivery()
    begin_call(delivery)
    context.detach(token)

    assert delivery.call.trace is not None
    assert delivery.call.trace.startswith(f"00-{TRACE}-")
    assert delivery.call.trace.endswith(" vendor=a")


def test_without_a_provider_a_call_carries_what_it_came_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "get_tracer_provider", trace.NoOpTracerProvider)
    delivery = a_delivery()
    delivery.call.trace = CARRIED
    begin_call(delivery)

    assert delivery.call.trace == CARRIED
    assert delivery.waiters == []


def test_what_is_not_sampled_is_carried_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    provider = TracerProvider(sampler=ALWAYS_OFF)
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    delivery = a_delivery()
    begin_call(delivery)

    assert not _parent(delivery).trace_flags.sampled
    assert delivery.waiters == []


def test_an_attempt_follows_its_call_and_is_linked_to_it(exported: Callable[[], list[ReadableSpan]]) -> None:
    run = RunSpan(a_scope())
    inside = trace.get_current_span().get_span_context()
    run.end(None)
    (span,) = exported()

    assert inside == span.context
    assert span.parent is not None
    assert (span.parent.trace_id, span.parent.span_id) == (int(TRACE, 16), int(SPAN, 16))
    assert [link.context.span_id for link in span.links] == [int(SPAN, 16)]
    assert span.attributes is not None
    assert (span.attributes["defer.attempt"], span.attributes["defer.outcome"]) == (2, "succeed")


@pytest.mark.parametrize("carried", [None, "", "nonsense", "00-0-0-0 x=y"])
def test_an_attempt_that_follows_nothing_begins_a_trace(
    exported: Callable[[], list[ReadableSpan]], carried: str | None
) -> None:
    RunSpan(a_scope(carried)).end(None)
    (span,) = exported()

    assert span.parent is None
    assert list(span.links) == []


def test_an_attempt_does_not_follow_what_happens_to_surround_it(exported: Callable[[], list[ReadableSpan]]) -> None:
    with trace.get_tracer_provider().get_tracer("test").start_as_current_span("the loop's"):
        RunSpan(a_scope(None)).end(None)

    assert exported()[0].parent is None


def test_an_error_is_recorded_as_it_is_stored(exported: Callable[[], list[ReadableSpan]]) -> None:
    RunSpan(a_scope()).end(ERROR)
    (span,) = exported()

    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description == "shop.OutOfStock: none left"
    assert [dict(event.attributes or {}) for event in span.events] == [
        {
            "exception.type": "shop.OutOfStock",
            "exception.message": "none left",
            "exception.stacktrace": "In your code: …",
        }
    ]


def test_tracing_that_fails_harms_nobody(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> trace.Tracer:
        raise RuntimeError("broken")

    monkeypatch.setattr(spans, "_tracer_now", fail)
    monkeypatch.setattr("defer_cli.client.harmless._has_failed", False)
    trace_call(a_delivery())

    assert trace_run(a_scope()) is None
    assert len(caplog.records) == 1


def test_a_call_made_inside_follows_its_caller_though_nobody_traces_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "is_traced", lambda: False)
    monkeypatch.setattr(calls, "scope_here", a_scope)
    sent: list[Delivery] = []
    desk = type("Desk", (), {"is_full": False, "put": lambda self, item: sent.append(item)})()
    monkeypatch.setattr(calls, "sender", lambda: desk)
    monkeypatch.setattr(calls, "may_wait_here", lambda: False)

    async def send() -> None: ...

    callee = type(
        "Callee", (), {"fn": staticmethod(send), "name": "send", "file": __file__, "call_options": NO_OPTIONS}
    )()
    monkeypatch.setattr(calls, "lane_for", lambda file: type("Lane", (), {"now_us": lambda self: 1})())
    calls._send(callee, (), {})

    assert sent[0].call.trace == CARRIED


def test_who_traces_is_known_without_an_import() -> None:
    code = """if True:
        import sys
        from defer_cli.client import calls, tracing
        from defer_cli.workers import attempts
        assert not any(name.startswith("opentelemetry") for name in sys.modules)
        assert not tracing.is_traced()
        import opentelemetry.trace
        assert tracing.is_traced()
    """
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_process_that_does_not_trace_flushes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_traced()
    monkeypatch.setattr(tracing, "is_traced", lambda: False)
    monkeypatch.setattr(tracing, "Thread", None)

    tracing.flush_spans(1)
