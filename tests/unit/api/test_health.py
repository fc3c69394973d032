"""Whoever routes requests is told whether the runner takes calls."""

from __future__ import annotations

import pytest

from tests.unit.api.harness import Api


async def test_a_runner_that_is_well_says_so(api: Api) -> None:
    answer = await api.send("GET", "/health")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert answer.headers["cache-control"] == "no-store"


async def test_a_runner_that_is_not_well_says_why(api: Api) -> None:
    api.backend.why_not_healthy = lambda: "the runner is stopping"
    answer = await api.send("GET", "/health")

    assert answer.status_code == 503
    assert answer.json() == {"status": "unavailable", "error": "unavailable", "message": "the runner is stopping"}


async def test_a_health_check_reads_nothing(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(name: str, parameters: object) -> None:
        raise AssertionError(name)

    monkeypatch.setattr(api.backend, "_ask", ask)

    assert (await api.send("GET", "/health")).status_code == 200
    assert (await api.send("HEAD", "/health")).status_code == 200
