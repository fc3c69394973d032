"""What a runner has done is counted on its way to whoever shows it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from defer_cli.domain.settle import Died, Move, Outcome, Reason, Returned, Running, settle
from defer_cli.engine.events import Note, WorkerDied
from defer_cli.engine.measures import BOUNDS_SECONDS, Measures, Tally
from defer_cli.engine.vitals import Vitals
from tests.unit.engine.harness import NOW, FakeListener, running, spec

SECOND = 1_000_000
_RETURNED = Returned()


def ended(waited_us: int, ran_us: int, outcome: Outcome = _RETURNED, *, function: str = "compute") -> Move:
    began: Running = running(function=function, scheduled_us=NOW, started_us=NOW + waited_us)
    return settle(
        began, outcome, Reason.STOP, policy=spec().options.retry, now_us=NOW + waited_us + ran_us, dice=lambda: 0.5
    )


def counted(*moves: Move) -> Tally:
    measures = Measures(FakeListener())
    measures.settled(moves)
    return measures.tallies["compute"]


def bucket(counts: list[int]) -> float:
    """Return the bound of the one bucket that holds anything."""
    return [*BOUNDS_SECONDS, float("inf")][counts.index(1)]


def test_what_is_counted_is_passed_on() -> None:
    listener = FakeListener()
    measures = Measures(listener)
    moves = [ended(0, SECOND)]
    measures.settled(moves)
    measures.tell(note := Note("info", "hello"))

    assert (listener.moves, listener.events) == (moves, [note])


@pytest.mark.parametrize(
    ("span_us", "bound"),
    [(0, 0.001), (1_000, 0.001), (1_001, 0.005), (SECOND, 1.0), (90 * SECOND, 300.0), (10_000 * SECOND, float("inf"))],
)
def test_a_span_lies_in_the_first_bucket_that_reaches_it(span_us: int, bound: float) -> None:
    assert bucket(counted(ended(0, span_us)).durations.counts) == bound
    assert bucket(counted(ended(span_us, 0)).waits.counts) == bound


def test_spans_are_summed() -> None:
    tally = counted(ended(2 * SECOND, SECOND), ended(3 * SECOND, 5 * SECOND))

    assert (tally.waits.total_us, tally.durations.total_us) == (5 * SECOND, 6 * SECOND)


def test_a_clock_that_was_set_back_takes_nothing_off_the_sum() -> None:
    tally = counted(ended(0, SECOND), ended(-SECOND, -SECOND))

    assert (tally.waits.total_us, tally.durations.total_us) == (0, SECOND)


def test_attempts_are_counted_by_how_they_ended() -> None:
    tally = counted(ended(0, 0), ended(0, 0), ended(0, 0, Died("it had to stop")))

    assert tally.outcomes == {"succeed": 2, "interrupt": 1}


def test_each_function_is_counted_for_itself() -> None:
    measures = Measures(FakeListener())
    measures.settled([ended(0, 0), ended(0, 0, function="other")])

    assert {name: sum(tally.waits.counts) for name, tally in measures.tallies.items()} == {"compute": 1, "other": 1}


def test_workers_that_died_are_counted() -> None:
    measures = Measures(FakeListener())
    measures.tell(WorkerDied(1, "exited", 3))
    measures.tell(Note("info", "hello"))

    assert measures.worker_deaths == 1


# What is so just now.


def worker(load: int, *, waiting: int = 0, joined: bool = True, retiring: bool = False) -> Any:
    return SimpleNamespace(load=load, waiting=waiting, has_joined=joined, is_retiring=retiring)


def vitals(*workers: Any, database: str = "/missing", slots: int = 10) -> Vitals:
    return Vitals(
        "host-1",
        database,
        cast("Any", SimpleNamespace(processes=list(workers))),
        cast("Any", SimpleNamespace(commits=3, refusal=None)),
        cast("Any", SimpleNamespace(fired=Counter(), gaps=Counter())),
        Measures(FakeListener()),
        slots=slots,
    )


def test_workers_are_told_by_what_they_do() -> None:
    told = vitals(worker(1), worker(0), worker(1, retiring=True), worker(0, joined=False)).workers()

    assert told == {"serving": 2, "retiring": 1, "starting": 1}


def test_a_slot_that_was_given_back_is_free() -> None:
    assert vitals(worker(3, waiting=4), worker(2)).slots() == {"busy": 5, "free": 15, "waiting": 4}


def test_a_worker_that_retires_has_no_free_slots() -> None:
    assert vitals(worker(3, retiring=True), worker(0, joined=False)).slots() == {"busy": 3, "free": 0, "waiting": 0}


def test_more_runs_than_there_are_slots_while_waits_resume() -> None:
    assert vitals(worker(11)).slots() == {"busy": 11, "free": 0, "waiting": 0}


def test_sizes_are_those_of_the_files(tmp_path: Path) -> None:
    database = tmp_path / "defer.db"
    database.write_bytes(b"x" * 7)
    sizes = vitals(database=str(database)).sizes()

    assert sizes == {"database": 7, "wal": 0}
