"""`/metrics`: what a runner does and holds, for Prometheus."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from defer_cli import __version__
from defer_cli.api.exposition import Histogram, table
from defer_cli.domain.states import State
from defer_cli.engine.vitals import Vitals
from defer_cli.web.backend import Backend
from defer_cli.web.routes import at

_TEXT = "text/plain; version=0.0.4; charset=utf-8"
_STATES = tuple(map(str, State))
_OUTCOMES = ("succeed", "fail", "retry", "interrupt", "aborted")


def metrics_routes(backend: Backend) -> Iterable[BaseRoute]:
    """Return the route of the metrics."""
    if backend.vitals is None:
        return ()
    return (at("/metrics", GET=Metrics(backend, backend.vitals).get),)


class Metrics:
    """Reads counters only, never the rows they count: a scrape costs the same whatever the store holds."""

    def __init__(self, backend: Backend, vitals: Vitals) -> None:
        self._backend = backend
        self._vitals = vitals
        registry = CollectorRegistry(auto_describe=False)
        self._process = ProcessCollector(registry=registry)
        self._durations = Histogram(
            "defer_execution_duration_seconds", "How long attempts ran, since the runner began."
        )
        self._waits = Histogram(
            "defer_execution_wait_seconds",
            "How long attempts that were due waited for their start, since the runner began.",
        )

    async def get(self, _: Request) -> Response:
        """Answer a scrape."""
        now_us = self._backend.now_us()
        counts = await self._backend.ask("counts")
        oldest_us = await self._backend.ask("oldest_due", now_us=now_us)
        alerts = (await self._backend.ask("alerts", now_us=now_us))["waiting"]
        age = 0.0 if oldest_us is None else (now_us - oldest_us) / 1e6
        text = await asyncio.to_thread(self._text, counts, age, alerts)  # thousands of functions take a while
        return Response(text, media_type=_TEXT, headers={"cache-control": "no-store"})

    def _text(self, counts: dict[str, dict[str, int]], age: float, alerts: int) -> bytes:
        about_functions = self._about_functions(counts)
        depth = sum([states.get("created", 0) for states in counts.values()])
        about_runner = generate_latest(_Families([*self._about_runner(depth, age, alerts), *self._process.collect()]))
        return about_functions.encode("utf-8", "replace") + about_runner

    def _about_functions(self, counts: dict[str, dict[str, int]]) -> str:
        vitals = self._vitals
        tallies = dict(vitals.tallies)
        known = dict.fromkeys([*self._backend.functions, *counts])
        return "".join(
            [
                table(
                    "defer_executions",
                    "gauge",
                    "Executions in the store by state.",
                    [(name, [counts.get(name, {}).get(state, 0) for state in _STATES]) for name in known],
                    label="state",
                    values=_STATES,
                ),
                table(
                    "defer_attempts_total",
                    "counter",
                    "Attempts that ended since the runner began, by the move that ended them.",
                    [
                        (name, [outcomes.get(outcome, 0) for outcome in _OUTCOMES])
                        for name, tally in tallies.items()
                        if (outcomes := tally.outcomes)
                    ],
                    label="outcome",
                    values=_OUTCOMES,
                ),
                self._durations.text({name: tally.durations for name, tally in tallies.items()}),
                self._waits.text({name: tally.waits for name, tally in tallies.items()}),
                table(
                    "defer_ticks_fired_total",
                    "counter",
                    "Ticks of crons that were enqueued since the runner began.",
                    [(name, [count]) for name, count in dict(vitals.ticks_fired).items()],
                ),
                table(
                    "defer_tick_gaps_total",
                    "counter",
                    "Spans of time, each of one tick or more, whose ticks were missed; since the runner began.",
                    [(name, [count]) for name, count in dict(vitals.tick_gaps).items()],
                ),
                table(
                    "defer_ticks_skipped_total",
                    "counter",
                    "Ticks of paused crons; those that passed before the runner began count as one.",
                    [(name, [count]) for name, count in dict(vitals.ticks_skipped).items()],
                ),
            ]
        )

    def _about_runner(self, depth: int, age: float, alerts: int) -> Iterator[Metric]:
        vitals = self._vitals
        slots, sizes = vitals.slots(), vitals.sizes()
        info = {"name": vitals.runner, "version": __version__}
        yield InfoMetricFamily("defer_runner", "The runner that answers.", info)
        yield _gauge("defer_runner_start_time_seconds", "When the runner began.", vitals.started_at)
        yield _gauge("defer_functions", "Functions that can run.", len(self._backend.functions))
        yield _gauge("defer_queue_depth", "Executions that wait, delayed ones and retries included.", depth)
        yield _gauge("defer_queue_oldest_due_age_seconds", "Since when the oldest due execution waits.", age)
        yield _by_state("defer_workers", "Worker processes.", vitals.workers())
        yield _count("defer_worker_deaths", "Workers that ended unasked.", vitals.worker_deaths)
        yield _by_state("defer_slots", "Places for executions.", {name: slots[name] for name in ("busy", "free")})
        yield _gauge(
            "defer_waiting_attempts", "Attempts that gave their slot back while they await others.", slots["waiting"]
        )
        yield _gauge("defer_alerts_waiting", "Alerts that are on their way.", alerts)
        outcomes = CounterMetricFamily(
            "defer_alert_messages", "Messages of alerts, since the runner began.", labels=["outcome"]
        )
        for outcome, count in vitals.alerts().items():
            outcomes.add_metric([outcome], count)
        yield outcomes
        pruned = CounterMetricFamily(
            "defer_pruned", "What retention has deleted, since the runner began.", labels=["kind"]
        )
        for kind, count in vitals.pruned.items():
            pruned.add_metric([kind], count)
        yield pruned
        yield _count("defer_writer_commits", "Transactions that came to the disk.", vitals.commits)
        yield _gauge("defer_store_refuses", "1 while the store takes nothing.", float(vitals.why_refused is not None))
        yield _gauge("defer_database_size_bytes", "Size of the database.", sizes["database"])
        yield _gauge("defer_database_wal_size_bytes", "Size of the write-ahead log's file.", sizes["wal"])


class _Families(Collector):
    """Metrics that are known already."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> list[Metric]:
        """Return them."""
        return self._families


def _gauge(name: str, help: str, value: float) -> Metric:
    return GaugeMetricFamily(name, help, value)


def _count(name: str, help: str, value: float) -> Metric:
    return CounterMetricFamily(name, help, value)


def _by_state(name: str, help: str, counts: dict[str, int]) -> Metric:
    family = GaugeMetricFamily(name, help, labels=["state"])
    for state, count in counts.items():
        family.add_metric([state], count)
    return family
