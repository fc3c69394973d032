"""The test of the store against its model finds bugs: each of these is planted, and must be found."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from msgspec import structs

from defer_cli.domain.enqueue import Stored
from defer_cli.store.contract import Tick
from defer_cli.store.sqlite import inserting, settling, statements, ticking
from defer_cli.store.sqlite.counters import Counters
from defer_cli.store.sqlite.session import Session
from tests.faults.figures import is_whole, tell
from tests.store.harness import call
from tests.store.machine import StoreAndModel

pytestmark = [pytest.mark.fault, pytest.mark.timeout(300)]

EXAMPLES = 400
"""Runs of up to 60 steps, always the same ones; the first that goes wrong is the last."""

Plant = Callable[[pytest.MonkeyPatch], None]


def changed(name: str, old: str, new: str) -> Plant:
    """Return what writes one statement otherwise."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        statement: str = getattr(statements, name)
        assert old in statement
        patch.setattr(statements, name, statement.replace(old, new))

    return plant


def changed_move(name: str, old: str, new: str) -> Plant:
    """Return what writes one move otherwise."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        kind = settling._KINDS[name]
        assert old in kind.statement
        patch.setitem(settling._KINDS, name, structs.replace(kind, statement=kind.statement.replace(old, new)))

    return plant


def without_limits(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Counters, "running", lambda self, function: 0)


def with_one_more(patch: pytest.MonkeyPatch) -> None:
    counted = Counters.running
    patch.setattr(Counters, "running", lambda self, function: counted(self, function) - 1)


def counting_what_was_undone(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Counters, "undo", lambda self, changes: None)


def past_the_queue(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(inserting, "_count_next", lambda session, rows, taker: min(len(rows), taker.limit))


def without_strays(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Session, "_look_for_strays", lambda self: None)


def twice(patch: pytest.MonkeyPatch) -> None:
    def fire(session: Session, ticks: Sequence[Tick]) -> list[Stored]:
        calls = [call(tick.function, came_from="tick") for tick in ticks]
        return ticking._insert(
            session,
            [Tick(tick.function, tick.canonical, tick.tick_us, one) for tick, one in zip(ticks, calls, strict=True)],
        )

    patch.setattr(ticking, "fire", fire)


OFTEN: dict[str, tuple[int, Plant]] = {
    "a claim ignores concurrency": (6, without_limits),
    "a late outcome is written over a final state": (
        3,
        changed_move("succeed", "attempt = ? AND +state = 'started'", "attempt >= ?"),
    ),
    "a tick is enqueued at each start": (7, twice),
}
BUGS = OFTEN | {
    "one more than the limit is started": (6, with_one_more),
    "a retry is not counted": (5, changed_move("retry", "charged = ?", "charged = charged + 0 * ?")),
    "an outcome of an earlier attempt counts": (3, changed_move("fail", "attempt = ? AND", "attempt >= ? AND")),
    "a suspect is no longer run alone": (5, changed_move("interrupt", "isolation = ?", "isolation = 0 * ?")),
    "a run does not get a number of its own": (
        4,
        changed("CLAIM", "attempt = attempt + 1", "attempt = max(attempt, 1)"),
    ),
    "what is stored as started may be claimed once more": (4, changed("INSERT_STARTED", "'started'", "'created'")),
    "a call starts at once whatever its limit": (6, past_the_queue),
    "the newest is started first": (
        2,
        changed("CLAIM_SHARED", "ORDER BY scheduled_us, seq", "ORDER BY scheduled_us, seq DESC"),
    ),
    "the newest of a function's own queue is started first": (
        2,
        changed("CLAIM_DUE", "ORDER BY scheduled_us, seq", "ORDER BY scheduled_us, seq DESC"),
    ),
    "a function that gets a limit is not held to it": (6, without_strays),
    "what is set apart is forgotten": (2, changed("CLAIM_SET_APART", "is_shared = 0", "is_shared = 0, isolation = 2")),
    "a cancelled one may still be claimed": (3, changed("CANCEL", "state = 'cancelled', finished_us", "finished_us")),
    "what started in time is discarded": (2, changed("DISCARD_DUE", "attempt = 0 AND", "")),
    "discard_after is not looked at": (2, changed("DISCARD_DUE", "discard_us <= ?", "discard_us < 0 * ?")),
    "what a dead runner left is taken back but for one": (
        2,
        changed("TAKE_BACK_LEFT", "LIMIT ?", "LIMIT max(? - 1, 1)"),
    ),
    "all that a dead runner left is charged": (
        5,
        changed("TAKE_BACK", "losses = ?", "charged = charged + 1, losses = ?"),
    ),
    "what has not ended is deleted": (2, changed("PRUNE_LOOK", "NULL, finished_us", "0, finished_us")),
    "a transaction that was undone is counted": (6, counting_what_was_undone),
}
"""Each with the number of a promise that it would break."""


@pytest.mark.parametrize("name", BUGS if is_whole() else OFTEN)
def test_a_planted_bug_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    promise, plant = BUGS[name]
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(
            type("Machine", (StoreAndModel,), {}),
            settings=settings(
                max_examples=EXAMPLES,
                stateful_step_count=60,
                deadline=None,
                derandomize=True,
                database=None,
                phases=[Phase.generate],
                report_multiple_bugs=False,
                suppress_health_check=list(HealthCheck),
            ),
        )

    tell(promise, fault=f"a bug planted into the store: {name}", runs=1, found="found by its test")
