"""What a sandbox runs belongs to the trace of the test that called it."""

from __future__ import annotations

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from defer_cli.testing import Sandbox
from tests.unit.testing.functions import greet


async def test_a_drained_call_is_part_of_the_trace_it_was_made_in(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    with provider.get_tracer("test").start_as_current_span("test"):
        await greet("Ada")
        await sandbox.drain()

    by_name = {span.name: span for span in exporter.get_finished_spans()}
    outer, enqueued, run = by_name["test"], by_name["enqueue greet"], by_name["run greet"]
    assert enqueued.parent == outer.context
    assert run.parent is not None
    assert (run.context.trace_id, run.parent.span_id) == (outer.context.trace_id, enqueued.context.span_id)
