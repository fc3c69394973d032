"""A real runner over HTTP: its health, its metrics, its functions, and a log that is followed while it is written."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.process.harness import DEADLINE_SECONDS, Project, Runner, until

pytestmark = pytest.mark.process

V2 = "/public/v2"
TALK = """
@defer(retry={'max_attempts': 1, 'initial_interval': 0.05, 'randomization_factor': 0})
async def talk(name: str) -> None:
    attempt = current_execution().attempt
    for number in (1, 2):
        print(f"{attempt}.{number}")
        await until_noted(f"{name}.{attempt}.{number}")
    if attempt == 1:
        raise ValueError("once more")
"""
WEEKLY = """
@defer.cron("0 8 * * MON")
async def weekly() -> None: ...
"""


class Served:
    """A runner and its API."""

    def __init__(self, project: Project, runner: Runner) -> None:
        found = re.search(r"url=(\S+)", runner.until_line("runner ready"))
        assert found is not None
        self.project = project
        self.runner = runner
        self.http = httpx.Client(base_url=found[1], timeout=DEADLINE_SECONDS)

    def call(self, function: str, *arguments: Any) -> str:
        body = {"function_name": function, "function_arguments": arguments}
        id: str = self.http.put(f"{V2}/executions", json=body).json()["data"]["id"]
        return id

    def until_state(self, id: str, state: str) -> None:
        until(lambda: self.http.get(f"{V2}/executions/{id}").json()["data"]["state"] == state, state)

    @contextmanager
    def following(self, id: str, last: str = "") -> Iterator[Iterator[tuple[str, str, Any]]]:
        """Follow a log for the block: kind, id and content of each event."""
        headers = {"last-event-id": last} if last else {}
        with self.http.stream("GET", f"{V2}/executions/{id}/logs?follow", headers=headers) as answer:
            assert answer.status_code == 200
            yield _events(answer.iter_lines())

    def metrics(self) -> dict[tuple[str, str], float]:
        """Return the values by name and the function they are about."""
        families = text_string_to_metric_families(self.http.get("/metrics").text)
        return {
            (sample.name, "/".join(sample.labels.values())): sample.value
            for family in families
            for sample in family.samples
        }


def _events(lines: Iterator[str]) -> Iterator[tuple[str, str, Any]]:
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif "event" in fields:
            yield fields["event"], fields["id"], json.loads(fields["data"])
            fields = {}


def texts(content: list[dict[str, Any]]) -> list[str]:
    return [line["text"] for line in content]


@contextmanager
def serving(project: Project, *options: str) -> Iterator[Served]:
    project.write(talk=TALK, weekly=WEEKLY)
    with project.run("--port", "0", "--workers", "1", *options) as runner:
        served = Served(project, runner)
        with served.http:
            yield served


@pytest.fixture(scope="module")
def served(make_project: Callable[[], Project]) -> Iterator[Served]:
    with serving(make_project()) as served:
        yield served


def test_a_log_is_followed_line_by_line_over_a_retry(served: Served) -> None:
    id = served.call("talk", "live")
    seen = []
    with served.following(id) as events:
        for kind, event_id, content in events:
            seen.append((kind, event_id, texts(content) if kind == "log" else content["state"]))
            if kind == "log":  # only now does it go on
                served.project.note(f"live.{content[0]['text']}")

    assert seen == [
        ("log", "1:0", ["1.1"]),
        ("log", "1:1", ["1.2"]),
        ("log", "1:1,2:0", ["2.1"]),
        ("log", "1:1,2:1", ["2.2"]),
        ("end", "end", "succeed"),
    ]


def test_what_ran_is_counted(served: Served) -> None:
    for note in ("1.1", "1.2", "2.1", "2.2"):
        served.project.note(f"counted.{note}")
    before = served.metrics()
    id = served.call("talk", "counted")
    served.until_state(id, "succeed")
    told = served.metrics()

    def grown(name: str, labels: str) -> float:
        return told[name, labels] - before.get((name, labels), 0)

    assert grown("defer_executions", "talk/succeed") == 1
    assert [grown("defer_attempts_total", f"talk/{outcome}") for outcome in ("succeed", "retry", "fail")] == [1, 1, 0]
    assert grown("defer_execution_duration_seconds_count", "talk") == 2
    assert grown("defer_execution_wait_seconds_bucket", "talk/+Inf") == 2
    assert grown("defer_writer_commits_total", "") >= 3
    assert (told["defer_workers", "serving"], told["defer_functions", ""]) == (1, 2)
    assert told["defer_database_size_bytes", ""] > 0
    assert told["defer_database_wal_size_bytes", ""] > 0


def test_functions_are_those_of_the_folder(served: Served) -> None:
    told = served.http.get(f"{V2}/functions").json()["data"]

    assert [(one["name"], one["kind"], one["file"]) for one in told] == [
        ("talk", "function", "src/defer/talk.py"),
        ("weekly", "cron", "src/defer/weekly.py"),
    ]


def test_a_stream_lasts_through_the_drain_and_does_not_hold_up_the_stop(project: Project) -> None:
    with serving(project, "--grace", "10s") as served:
        assert served.http.get("/health").json() == {"status": "ok"}
        id, other = served.call("talk", "drained"), served.call("talk", "other")
        with served.following(other) as others, served.following(id) as events:
            assert texts(next(events)[2]) == texts(next(others)[2]) == ["1.1"]
            served.runner.signal()
            until(lambda: served.http.get("/health").status_code == 503, "the drain")
            assert served.http.get("/health").json()["message"] == "the runner is stopping"
            project.note("drained.1.1")
            assert texts(next(events)[2]) == ["1.2"]
            served.runner.signal()  # at once
            began = time.monotonic()
            assert (list(events), list(others)) == ([], [])
            served.runner.wait()

        assert time.monotonic() - began < 5
    with serving(project) as served:
        for note in ("1.2", "2.1", "2.2"):
            project.note(f"drained.{note}")
        with served.following(id, "1:1") as events:
            lines = [line for kind, _, content in events if kind == "log" for line in texts(content)]

        assert lines[-2:] == ["2.1", "2.2"]
