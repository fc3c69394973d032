"""Metrics are what Prometheus reads, true, and as many for a million executions as for one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
from prometheus_client import generate_latest
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.parser import text_string_to_metric_families

from defer_cli.api.app import build_app
from defer_cli.api.exposition import Histogram, table
from defer_cli.domain.errors import StoreError
from defer_cli.domain.states import State
from defer_cli.engine.measures import BOUNDS_SECONDS, Measures, Spans
from defer_cli.engine.vitals import Vitals
from tests.store.harness import NOON, SECOND, fail, succeed
from tests.unit.api.harness import Api
from tests.unit.engine.harness import FakeListener, running

Samples = Mapping[tuple[str, tuple[tuple[str, str], ...]], float]
DOCS = Path(__file__).parents[3] / "docs" / "metrics.md"
ODD = 'odd "name" \\ with\n%d and \x00'


class Scraped:
    """The metrics of an API, before fake parts of a runner."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.measures = Measures(FakeListener())
        self.crons = SimpleNamespace(fired=Counter[str](), gaps=Counter[str](), skipped=Counter[str]())
        self.writer = SimpleNamespace(commits=3, refusal=None)
        busy = SimpleNamespace(load=3, waiting=2, has_joined=True, is_retiring=False)
        parts: Any = (SimpleNamespace(processes=[busy]), self.writer, self.crons, self.measures)
        api.backend.vitals = Vitals("host-1", "/missing", *parts, slots=10)
        app = build_app(api.backend)
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1")

    async def text(self) -> str:
        answer = await self.http.get("/metrics")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        return answer.text

    async def samples(self) -> Samples:
        return samples(await self.text())


def samples(text: str) -> Samples:
    """Return the values of a text by name and labels; fail when one is there twice."""
    found: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in found
            found[key] = sample.value
    return found


def of(name: str, **labels: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    return name, tuple(sorted(labels.items()))


@pytest.fixture
def scraped(api: Api) -> Scraped:
    return Scraped(api)


async def test_every_metric_has_a_name_of_ours_a_type_and_a_help(scraped: Scraped) -> None:
    families = list(text_string_to_metric_families(await scraped.text()))

    assert all(family.name.startswith(("defer_", "process_")) for family in families)
    assert all(family.documentation and family.type != "unknown" for family in families)
    assert len({family.name for family in families}) == len(families) > 20


async def test_the_docs_name_every_metric_with_its_type(scraped: Scraped) -> None:
    families = text_string_to_metric_families(await scraped.text())
    kinds = {"counter": "_total"}
    served = {(family.name + kinds.get(family.type, ""), family.type) for family in families}

    rows = re.findall(r"^\| `(defer_\w+)` \| (\w+) \|", DOCS.read_text(), re.MULTILINE)
    assert sorted(rows) == sorted((name, kind) for name, kind in served if name.startswith("defer_"))


async def test_executions_are_told_by_function_and_state(scraped: Scraped) -> None:
    await scraped.api.in_state("succeed")
    await scraped.api.stored()
    told = await scraped.samples()

    states = {state: told[of("defer_executions", function="compute", state=state)] for state in State}
    assert states == dict.fromkeys(State, 0) | {State.SUCCEED: 1, State.CREATED: 1}
    assert told[of("defer_executions", function="greet_user", state="created")] == 0
    assert told[of("defer_queue_depth")] == 1


async def test_functions_that_are_gone_are_told_while_their_executions_are_there(scraped: Scraped) -> None:
    await scraped.api.stored("gone")

    assert (await scraped.samples())[of("defer_executions", function="gone", state="created")] == 1


async def test_how_long_the_oldest_waits_is_told(scraped: Scraped) -> None:
    empty = (await scraped.samples())[of("defer_queue_oldest_due_age_seconds")]
    await scraped.api.stored()
    scraped.api.clock.forward(90)

    assert (empty, (await scraped.samples())[of("defer_queue_oldest_due_age_seconds")]) == (0, 90)


async def test_attempts_are_told_by_how_they_ended_and_how_long_they_took(scraped: Scraped) -> None:
    ran = [running(scheduled_us=NOON, started_us=NOON + 2 * SECOND) for _ in range(2)]
    scraped.measures.settled(
        [move(one, at_us=NOON + 5 * SECOND, due_us=NOON) for move, one in zip((succeed, fail), ran, strict=True)]
    )
    told = await scraped.samples()

    assert told[of("defer_attempts_total", function="compute", outcome="succeed")] == 1
    assert told[of("defer_attempts_total", function="compute", outcome="fail")] == 1
    for name, seconds, below in (("duration", 6.0, "1.0"), ("wait", 4.0, "1.0")):
        assert told[of(f"defer_execution_{name}_seconds_sum", function="compute")] == seconds
        assert told[of(f"defer_execution_{name}_seconds_count", function="compute")] == 2
        assert told[of(f"defer_execution_{name}_seconds_bucket", function="compute", le=below)] == 0
        assert told[of(f"defer_execution_{name}_seconds_bucket", function="compute", le="5.0")] == 2


async def test_ticks_workers_slots_and_the_writer_are_told(scraped: Scraped) -> None:
    scraped.crons.fired["weekly"] += 2
    scraped.crons.gaps["weekly"] += 1
    scraped.crons.skipped["weekly"] += 3
    told = await scraped.samples()

    expected = {
        of("defer_ticks_fired_total", function="weekly"): 2,
        of("defer_tick_gaps_total", function="weekly"): 1,
        of("defer_ticks_skipped_total", function="weekly"): 3,
        of("defer_workers", state="serving"): 1,
        of("defer_slots", state="busy"): 3,
        of("defer_slots", state="free"): 7,
        of("defer_waiting_attempts"): 2,
        of("defer_writer_commits_total"): 3,
        of("defer_store_refuses"): 0,
        of("defer_functions"): 4,
    }
    assert {key: told[key] for key in expected} == expected


async def test_a_store_that_takes_nothing_is_told(scraped: Scraped) -> None:
    scraped.writer.refusal = StoreError("the disk is full")

    assert (await scraped.samples())[of("defer_store_refuses")] == 1


async def test_any_name_of_a_function_can_be_read_back(scraped: Scraped) -> None:
    await scraped.api.stored(ODD)
    scraped.measures.settled([succeed(running(function=ODD))])
    told = await scraped.samples()

    assert told[of("defer_executions", function=ODD, state="created")] == 1
    assert told[of("defer_execution_wait_seconds_count", function=ODD)] == 1


async def test_a_function_takes_so_many_lines_however_often_it_ran(scraped: Scraped) -> None:
    scraped.measures.settled([succeed(running(), at_us=NOON + number) for number in range(1_000)])
    lines = [line for line in (await scraped.text()).splitlines() if 'function="compute"' in line]

    assert len(lines) == 8 + 5 + 2 * (len(BOUNDS_SECONDS) + 3)
    assert f"function takes {len(lines)} lines" in DOCS.read_text().replace("\n", " ")


async def test_without_a_runner_there_are_no_metrics(api: Api) -> None:
    assert (await api.send("GET", "/metrics")).status_code == 404


# Written by hand.


def test_a_histogram_by_hand_is_that_of_the_library() -> None:
    spans = Spans()
    spans.counts, spans.total_us = [*range(len(BOUNDS_SECONDS) + 1)], 12_345_678
    by_library = HistogramMetricFamily("x_seconds", "Help.", labels=["function"])
    reached = 0.0
    buckets = []
    for bound, count in zip([*map(str, BOUNDS_SECONDS), "+Inf"], spans.counts, strict=True):
        reached += count
        buckets.append((bound, reached))
    by_library.add_metric([ODD], buckets, 12.345678)
    source = cast("Any", SimpleNamespace(collect=lambda: [by_library]))

    assert samples(Histogram("x_seconds", "Help.").text({ODD: spans})) == samples(generate_latest(source).decode())


def test_a_histogram_tells_what_has_come_since() -> None:
    spans, metric = Spans(), Histogram("x_seconds", "Help.")
    counts = []
    for _ in range(3):
        spans.counts[0] += 1
        spans.total_us += SECOND
        told = [samples(metric.text({"a": spans})) for _ in range(2)]
        counts += [(one[of("x_seconds_count", function="a")], one[of("x_seconds_sum", function="a")]) for one in told]

    assert counts == [(1, 1), (1, 1), (2, 2), (2, 2), (3, 3), (3, 3)]


def test_a_table_has_a_line_for_each_value_of_its_label() -> None:
    text = table("x", "gauge", "Help.", [("a", [1, 2])], label="state", values=("up", "down"))

    assert text.splitlines() == [
        "# HELP x Help.",
        "# TYPE x gauge",
        'x{function="a",state="up"} 1',
        'x{function="a",state="down"} 2',
    ]
