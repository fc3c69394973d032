"""Holds a whole database against what functions have noted of themselves: states, attempts, counters, effects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from defer_cli.domain.execution import Attempt, Execution
from defer_cli.domain.states import State
from tests.process.harness import Project

MINE = '''
    def mine():
        """Name this attempt, as `began` and `done` note it."""
        return f"{current_execution().id}.{current_execution().attempt}"
'''
"""What functions need that note `began` on their first line and `done` before their last."""
_MAY_NOT_HAVE_BEGUN = {"interrupt", "loss", "aborted"}


def audit(project: Project, ids: Collection[str]) -> dict[str, Execution]:
    """Return every execution by id; fail unless they are those of ``ids``, have ended, and fit what was noted."""
    began, done = Counter(project.noted("began")), Counter(project.noted("done"))
    found: dict[str, Execution] = {}
    recorded: set[str] = set()
    with project.reader() as reader:
        for id in ids:
            execution, attempts = reader.get(id), reader.attempts(id)
            assert execution is not None, id
            _check(execution, attempts, began, done)
            found[id] = execution
            recorded |= {attempt.id for attempt in attempts}
        counters = reader.counts()

    assert counters == Counter((one.function, one.state) for one in found.values())
    assert max([*began.values(), *done.values()], default=1) == 1  # no attempt began twice
    assert began.keys() | done.keys() <= recorded  # nothing ran that is not on record
    return found


def _check(execution: Execution, attempts: list[Attempt], began: Counter[str], done: Counter[str]) -> None:
    told = f"{execution}\n{attempts}"
    outcomes = [attempt.outcome for attempt in attempts]

    assert execution.state.is_final, told
    assert execution.finished_at is not None, told
    assert [attempt.number for attempt in attempts] == [*range(1, execution.attempt + 1)], told
    for attempt in attempts:
        assert attempt.finished_at is not None, told
        assert attempt.started_at <= attempt.finished_at, told
        assert began[attempt.id] == 1 or attempt.outcome in _MAY_NOT_HAVE_BEGUN, told
        assert done[attempt.id] == 0 or attempt.outcome in {"succeed", "aborted"}, told
    match execution.state:
        case State.SUCCEED:
            assert (outcomes[-1], done[attempts[-1].id]) == ("succeed", 1), told
        case State.ABORTED:
            assert outcomes[-1] == "aborted", told
        case State.CANCELLED:
            assert {"succeed", "fail", "aborted"}.isdisjoint(outcomes), told
