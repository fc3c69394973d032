"""Spans of a real application and real workers: one trace from the request to the last attempt it caused."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.process.harness import FAST, Project, until

pytestmark = pytest.mark.process
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TELEMETRY = """
    import os

    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import {processor}, SpanExporter, SpanExportResult

    class ToFile(SpanExporter):
        def export(self, spans):
            lines = "".join(span.to_json(indent=None) + "\\n" for span in spans)
            descriptor = os.open({path!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            os.write(descriptor, lines.encode())
            os.close(descriptor)
            return SpanExportResult.SUCCESS

    provider = TracerProvider()
    provider.add_span_processor({processor}(ToFile()))
    trace.set_tracer_provider(provider)
"""
REQUEST = """
    import telemetry
    from opentelemetry import trace
    from defer.parent import parent

    async def main():
        with trace.get_tracer("app").start_as_current_span("request"):
            print((await parent(7)).id)

    asyncio.run(main())
"""


@dataclass(frozen=True)
class Span:
    name: str
    kind: str
    trace: str
    id: str
    parent: str | None
    links: list[str]
    attributes: Mapping[str, Any]
    status: str
    events: list[Mapping[str, Any]]

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Span:
        return cls(
            told["name"],
            told["kind"].removeprefix("SpanKind."),
            told["context"]["trace_id"],
            told["context"]["span_id"],
            told["parent_id"],
            [link["context"]["span_id"] for link in told["links"]],
            told["attributes"],
            told["status"]["status_code"],
            told["events"],
        )


def set_up(project: Project, *, processor: str = "SimpleSpanProcessor") -> None:
    source = TELEMETRY.format(processor=processor, path=str(project.notes / "spans"))
    (project.root / "src" / "telemetry.py").write_text(textwrap.dedent(source))
    project.write(
        parent=f"""
            import telemetry
            from .child import child

            @defer({FAST})
            async def parent(number):
                child(number)
                if current_execution().attempt == 1:
                    raise ValueError("the first time")
        """,
        child="""
            from .grandchild import grandchild

            @defer
            async def child(number):
                return await await_result(grandchild)(number)
        """,
        grandchild="""
            @defer
            async def grandchild(number):
                from opentelemetry import trace
                with trace.get_tracer("own").start_as_current_span("inside"):
                    await asyncio.sleep(0)
        """,
        plain="""
            @defer
            async def plain(number):
                pass
        """,
        nothing="""
            @defer.cron("0 0 1 1 *")
            async def nothing():
                pass
        """,
    )


def spans(project: Project) -> list[Span]:
    return [Span.of(json.loads(line)) for line in project.noted("spans")]


def named(project: Project, name: str, count: int = 1) -> list[Span]:
    """Wait for spans of a name and return them in the order of their attempts."""
    until(lambda: sum(span.name == name for span in spans(project)) >= count, f"{count} spans {name!r}")
    found = [span for span in spans(project) if span.name == name]
    assert len(found) == count
    return sorted(found, key=lambda span: span.attributes.get("defer.attempt", 0))


def by_socket(project: Project) -> str:
    with project.run("--workers", "1") as runner, runner.client() as client:
        return _called(project, client.wait)


def by_inbox(project: Project) -> str:
    id = _called(project, str)
    with project.run("--workers", "1") as runner, runner.client() as client:
        client.wait(id)
    return id


def by_http(project: Project) -> str:
    project.runner_environment = {"DEFER_TOKEN": "secret"}
    with project.run("--workers", "1", "--port", "0") as runner, runner.client() as client:
        app = f"import os; os.environ |= {{'DEFER_TOKEN': 'secret', 'DEFER_ENDPOINT': {runner.url!r}}}\n"
        return _called(project, client.wait, before=app)


def _called(project: Project, wait: Callable[[str], object], *, before: str = "") -> str:
    done = project.app(before + textwrap.dedent(REQUEST))
    assert done.returncode == 0, done.stderr
    id = done.stdout.strip()
    wait(id)
    return id


@pytest.mark.parametrize("way", [by_socket, by_inbox, by_http])
def test_one_trace_leads_from_the_request_over_a_retry_to_the_last_child(
    project: Project, way: Callable[[Project], str]
) -> None:
    set_up(project)
    id = way(project)
    (request,), (enqueued,) = named(project, "request"), named(project, "enqueue parent")
    first, second = named(project, "run parent", 2)
    calls = named(project, "enqueue child", 2)
    (child,), (asked,) = named(project, "run child"), named(project, "enqueue grandchild")
    (grandchild,), (inside,) = named(project, "run grandchild"), named(project, "inside")

    assert {span.trace for span in spans(project)} == {request.trace}
    assert enqueued.parent == request.id
    assert [first.parent, second.parent] == [enqueued.id] * 2
    assert [first.links, second.links] == [[enqueued.id]] * 2
    assert {call.parent for call in calls} == {first.id, second.id}
    assert child.parent in {call.id for call in calls if call.parent == first.id}
    assert asked.parent == child.id
    assert (grandchild.parent, grandchild.links) == (asked.id, [asked.id])
    assert inside.parent == grandchild.id
    assert {enqueued.kind, asked.kind} == {"PRODUCER"}
    assert {first.kind, child.kind} == {"CONSUMER"}
    assert [first.attributes["defer.attempt"], second.attributes["defer.attempt"]] == [1, 2]
    assert {span.attributes["defer.execution_id"] for span in (enqueued, first, second)} == {id}
    assert len(project.children(id)) == 1


def test_an_attempt_that_failed_says_with_what(project: Project) -> None:
    set_up(project)
    by_socket(project)
    first, second = named(project, "run parent", 2)

    assert (first.status, first.attributes["defer.outcome"]) == ("ERROR", "raised")
    (event,) = first.events
    assert event["name"] == "exception"
    assert event["attributes"]["exception.type"] == first.attributes["error.type"] == "ValueError"
    assert event["attributes"]["exception.message"] == "the first time"
    assert "parent.py" in event["attributes"]["exception.stacktrace"]
    assert (second.status, second.attributes["defer.outcome"], second.events) == ("UNSET", "succeed", [])


def test_the_trace_of_a_request_to_the_api_goes_on(project: Project) -> None:
    set_up(project)
    with project.run("--workers", "1", "--port", "0") as runner, runner.client() as client:
        answer = httpx.put(
            f"{runner.url}/public/v2/executions",
            json={"function_name": "plain", "function_arguments": [1]},
            headers={"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "vendor=a"},
        )
        client.wait(answer.json()["data"]["id"])
        (run,) = named(project, "run plain")

    assert (run.trace, run.parent, run.links) == (f"0x{TRACE}", f"0x{SPAN}", [f"0x{SPAN}"])


def test_what_nobody_called_begins_a_trace(project: Project) -> None:
    set_up(project)
    project.burst("--workers", "1", "--trigger", "nothing")
    (run,) = named(project, "run nothing")

    assert (run.parent, run.links) == (None, [])


def test_spans_that_wait_to_be_exported_leave_before_their_worker(project: Project) -> None:
    set_up(project, processor="BatchSpanProcessor")
    with project.run("--workers", "1") as runner:
        with runner.client() as client:
            client.run("plain", 1)
        assert runner.stop() == 0

    assert [span.name for span in spans(project)] == ["run plain"]


def test_workers_are_set_up_like_their_runner_where_nobody_imports_anything(project: Project) -> None:
    set_up(project, processor="BatchSpanProcessor")
    automatic = project.root / "automatic"  # as `opentelemetry-instrument` does it
    automatic.mkdir()
    (project.root / "src" / "telemetry.py").rename(automatic / "sitecustomize.py")
    (project.root / "src" / "telemetry.py").touch()
    project.runner_environment = {"PYTHONPATH": str(automatic)}
    with project.run("--workers", "1") as runner:
        with runner.client() as client:
            client.run("parent", 1)
        assert runner.stop() == 0

    assert sorted(span.name for span in spans(project) if "parent" in span.name) == ["run parent"] * 2


def test_a_cancelled_attempt_says_so(project: Project) -> None:
    set_up(project)
    project.write(slow="@defer(max_duration=0.2, retry=False)\nasync def slow():\n    await asyncio.sleep(60)\n")
    with project.run("--workers", "1") as runner, runner.client() as client:
        client.run("slow")
        (run,) = named(project, "run slow")

    assert (run.status, run.attributes["defer.outcome"]) == ("ERROR", "cancelled")


def test_a_processor_that_raises_costs_its_spans_and_is_told_once(project: Project) -> None:
    set_up(project)
    project.write(caller="from .plain import plain\n\n@defer\nasync def caller(number):\n    await plain(number)\n")
    with (project.root / "src" / "telemetry.py").open("a") as file:
        file.write(
            textwrap.dedent("""
                from opentelemetry.sdk.trace import SpanProcessor

                class Broken(SpanProcessor):
                    def on_start(self, span, parent_context=None):
                        raise RuntimeError("broken processor")

                provider.add_span_processor(Broken())
            """)
        )
    with project.run("--workers", "1") as runner, runner.client() as client:
        ids = client.calls("caller", [[number] for number in range(20)])
        states = [client.wait(id) for id in ids]
        told = [line for id in ids for line in project.lines(id) if "a span could not be made" in line]

    assert states == ["succeed"] * 20
    assert len(told) == 1


LOADED = "[name for name in sys.modules if name.startswith('opentelemetry')]"


def test_nothing_is_imported_for_who_does_not_trace(project: Project) -> None:
    project.write(look=f"@defer\nasync def look():\n    return {LOADED}\n")
    with project.run("--workers", "1"):
        app = project.app(f"""
            import sys
            from defer.look import look
            async def main():
                print(await await_result(look)(), {LOADED})
            asyncio.run(main())
        """)

    assert app.stdout == "[] []\n"
