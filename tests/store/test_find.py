"""Finding executions: every filter gives what a look at each execution would give, walked either way, page by page."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from benchmarks.crowd import BEGAN_US, RUNNERS, Crowd, combinations, each_filter
from defer_cli import reports
from defer_cli.domain.execution import Execution
from defer_cli.domain.paging import Filters
from defer_cli.store.contract import Reader
from defer_cli.store.sqlite.reader import open_reader
from tests.store.harness import newest

COUNT = int(os.environ.get("PAGING_COUNT", "8000"))
"""Executions to walk over; the figures in the docs are of 100,000."""
ARRIVALS = 20


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crowd]:
    crowd = Crowd(tmp_path_factory.mktemp("crowd") / "defer.db", COUNT)
    crowd.fill()
    yield crowd
    crowd.store.close()


@pytest.fixture(scope="module")
def reader(crowd: Crowd) -> Iterator[Reader]:
    reader = open_reader(crowd.path)
    yield reader
    reader.close()


def _asked(now_us: int) -> Mapping[str, Filters]:
    return each_filter(now_us) | combinations(now_us)


NAMES = sorted(_asked(BEGAN_US))


def passes(execution: Execution, filters: Filters) -> bool:
    """Whether an execution is asked for, said once more in plain words."""
    started = execution.started_at
    spans = [(filters.scheduled_at, execution.scheduled_at), (filters.started_at, started)]
    return (
        (not filters.states or execution.state in filters.states)
        and (not filters.functions or execution.function in filters.functions)
        and (not filters.error_codes or execution.error_code in filters.error_codes)
        and (not filters.came_from or execution.came_from in filters.came_from)
        and filters.executed_by in (None, execution.executed_by)
        and filters.parent in (None, execution.parent)
        and all(
            (span.from_ is None or (moment is not None and moment >= span.from_))
            and (span.to is None or (moment is not None and moment <= span.to))
            for span, moment in spans
        )
        and all(execution.metadata.get(key) in values for key, values in filters.metadata.items() if values)
    )


def walk(
    reader: Reader, filters: Filters, *, size: int, is_backward: bool = False, between: Callable[[], Any] = lambda: None
) -> list[str]:
    """Return the ids of all pages in the order of the list, newest first."""
    page: dict[str, Any] = {"last" if is_backward else "first": size}
    wanted = msgspec.to_builtins(filters)
    found: list[str] = []
    while True:
        answer = reports.executions(reader, page, wanted)
        ids = [item["id"] for item in answer["items"]]
        found = ids + found if is_backward else found + ids
        info = answer["page_info"]
        if not info["has_prev_page" if is_backward else "has_next_page"]:
            return found
        page = page | ({"before": info["start_cursor"]} if is_backward else {"after": info["end_cursor"]})
        between()


@pytest.fixture(scope="module")
def everything(reader: Reader) -> list[Execution]:
    return newest(reader, limit=10 * COUNT)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", NAMES)
def test_a_filter_gives_what_a_look_at_each_would(
    crowd: Crowd, reader: Reader, everything: list[Execution], name: str
) -> None:
    filters = _asked(crowd.now_us)[name]
    expected = [execution.id for execution in everything if passes(execution, filters)]

    assert walk(reader, filters, size=500) == expected
    assert walk(reader, filters, size=497, is_backward=True) == expected


@pytest.mark.timeout(600)
@pytest.mark.parametrize("is_backward", [False, True])
def test_a_walk_misses_none_and_shows_no_one_twice_while_others_arrive(tmp_path: Path, is_backward: bool) -> None:
    crowd = Crowd(tmp_path / "defer.db", COUNT)
    crowd.fill()
    reader = open_reader(crowd.path)
    before = [execution.id for execution in newest(reader, limit=COUNT)]
    seen = walk(reader, Filters(), size=250, is_backward=is_backward, between=lambda: crowd.add(ARRIVALS))
    reader.close()
    crowd.store.close()

    there = set(before)
    assert len(set(seen)) == len(seen)
    assert [id for id in seen if id in there] == before


@pytest.mark.parametrize("seed", range(5))
def test_filters_that_are_drawn_agree_too(crowd: Crowd, reader: Reader, everything: list[Execution], seed: int) -> None:
    dice = random.Random(seed)
    asked = list(_asked(crowd.now_us).values())
    for _ in range(10):
        one, other = dice.choice(asked), dice.choice(asked)
        both = {
            name: getattr(other, name) or getattr(one, name)
            for name in ("states", "functions", "error_codes", "metadata", "came_from")
        }
        filters = Filters(**both, started_at=one.started_at, executed_by=dice.choice([None, *RUNNERS]))
        expected = [execution.id for execution in everything if passes(execution, filters)]

        assert walk(reader, filters, size=500) == expected


def test_a_search_that_has_no_time_stops_and_goes_on_from_there(
    reader: Reader, everything: list[Execution], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("defer_cli.store.sqlite.finding.LONGEST_SECONDS", 0.0)
    filters = Filters(came_from=["rerun"], states=["failed", "succeed"])
    expected = [execution.id for execution in everything if passes(execution, filters)]
    first = reports.executions(reader, {"first": 500}, msgspec.to_builtins(filters))

    assert len(first["items"]) < len(expected)
    assert first["page_info"]["has_next_page"] is True
    assert walk(reader, filters, size=500) == expected
    assert walk(reader, filters, size=500, is_backward=True) == expected


def test_an_empty_store_has_an_empty_page(tmp_path: Path) -> None:
    crowd = Crowd(tmp_path / "defer.db", 1)
    reader = open_reader(crowd.path)

    assert reports.executions(reader, {}, {}) == {
        "items": [],
        "page_info": {"has_next_page": False, "has_prev_page": False, "start_cursor": None, "end_cursor": None},
    }
    reader.close()
    crowd.store.close()
