"""What becomes of an attempt that has ended: every outcome, for every reason."""

from __future__ import annotations

from itertools import product

import pytest

from defer_cli.domain.execution import ErrorCode, ExecutionError
from defer_cli.domain.retry import NO_RETRY, RetryPolicy
from defer_cli.domain.settle import Died, Isolation, Move, Outcome, Raised, Reason, Returned, Running, settle
from defer_cli.domain.states import MOVES, State

NOW = 1_800_000_000_000_000
WRONG = ExecutionError(
    code=ErrorCode.RAISED, type="ValueError", message="no", traceback="Traceback …", location="src/defer/send.py:3"
)
RETURNED, RAISED, FINAL, DIED = Returned(b"1"), Raised(WRONG), Raised(WRONG, is_retryable=False), Died("signal 9")
ALONE = Died("signal 9", was_alone=True)
OUTCOMES = (RETURNED, RAISED, FINAL, DIED, ALONE)
REASONS = (None, *Reason)
TRANSITIONS = {move.name: move for move in MOVES}


def running(*, charged: int = 0, isolation: Isolation = Isolation.NONE, is_aborting: bool = False) -> Running:
    return Running(
        seq=7,
        id="0" * 26,
        function="send",
        attempt=4,
        charged=charged,
        scheduled_us=NOW - 5,
        isolation=isolation,
        losses=2,
        is_aborting=is_aborting,
        started_us=NOW - 3,
    )


def settled(
    attempt: Running, outcome: Outcome, reason: Reason | None = None, *, policy: RetryPolicy | None = None
) -> Move:
    policy = policy or RetryPolicy(max_attempts=2)
    return settle(attempt, outcome, reason, policy=policy, now_us=NOW, dice=lambda: 0.5, max_duration_words="30m")


def expected(outcome: Outcome, reason: Reason | None, *, is_aborting: bool, has_retry: bool) -> str:
    """Say the paper's rules once more, as a table read from the top."""
    failure = "retry" if has_retry else "fail"
    rules = [
        (is_aborting, "aborted"),
        (reason is Reason.MAX_DURATION, failure),
        (outcome is RETURNED, "succeed"),
        (reason in {Reason.STOP, Reason.NEIGHBOUR}, "interrupt"),
        (reason is Reason.MEMORY and isinstance(outcome, Died), failure),
        (outcome is DIED, "interrupt"),
        (outcome is FINAL, "fail"),
        (True, failure),
    ]
    return next(name for applies, name in rules if applies)


@pytest.mark.parametrize(("is_suspect", "is_aborting", "has_retry"), [*product([False, True], repeat=3)])
@pytest.mark.parametrize("reason", REASONS)
@pytest.mark.parametrize("outcome", OUTCOMES, ids=["returned", "raised", "final", "died", "died alone"])
def test_every_end_of_an_attempt_has_its_move(
    outcome: Outcome, reason: Reason | None, *, is_suspect: bool, is_aborting: bool, has_retry: bool
) -> None:
    attempt = running(
        charged=1 if has_retry else 2,
        isolation=Isolation.SUSPECT if is_suspect else Isolation.NONE,
        is_aborting=is_aborting,
    )

    move = settled(attempt, outcome, reason)

    name = expected(outcome, reason, is_aborting=is_aborting, has_retry=has_retry)
    assert move.name == name
    assert move.source in TRANSITIONS[name].sources
    assert move.target is TRANSITIONS[name].target
    assert (move.seq, move.id, move.attempt, move.function) == (7, "0" * 26, 4, "send")
    assert (move.at_us, move.started_us) == (NOW, NOW - 3)
    assert move.charged == attempt.charged + (name == "retry")
    assert move.losses == 0
    assert (move.scheduled_us is not None) is move.is_delayed is (name == "retry")
    assert (move.result is not None) is (name == "succeed")
    assert move.error is not None or name not in {"fail", "retry"}


def test_a_retry_waits_from_now() -> None:
    assert settled(running(), RAISED).scheduled_us == NOW + 30_000_000


def test_a_second_retry_waits_longer() -> None:
    assert settled(running(charged=1), RAISED).scheduled_us == NOW + 45_000_000


def test_a_function_without_retries_fails_at_once() -> None:
    assert settled(running(), RAISED, policy=NO_RETRY).name == "fail"


def test_an_interrupted_execution_keeps_its_place() -> None:
    move = settled(running(), RAISED, Reason.STOP)

    assert (move.scheduled_us, move.charged, move.error) == (None, 0, None)


@pytest.mark.parametrize("outcome", OUTCOMES, ids=["returned", "raised", "final", "died", "died alone"])
def test_what_ran_too_long_fails_with_its_own_code(outcome: Outcome) -> None:
    error = settled(running(charged=2), outcome, Reason.MAX_DURATION).error

    assert error is not None
    assert error.code == ErrorCode.MAX_DURATION
    assert "max_duration of 30m" in error.message


def test_what_ran_too_long_shows_where_it_was() -> None:
    error = settled(running(), RAISED, Reason.MAX_DURATION).error

    assert error is not None
    assert (error.traceback, error.location) == (WRONG.traceback, WRONG.location)


def test_a_function_keeps_the_error_it_raised() -> None:
    assert settled(running(), RAISED).error is WRONG
    assert settled(running(), FINAL).error is WRONG


def test_the_first_death_makes_a_suspect_and_charges_nobody() -> None:
    move = settled(running(), DIED)

    assert (move.name, move.isolation, move.charged) == ("interrupt", Isolation.SUSPECT, 0)
    assert move.error is not None
    assert (move.error.code, move.error.message) == (ErrorCode.RAISED, "signal 9")


def test_who_dies_alone_is_charged_and_stays_isolated() -> None:
    move = settled(running(isolation=Isolation.SUSPECT), ALONE)

    assert (move.name, move.isolation, move.charged) == ("retry", Isolation.KILLER, 1)


def test_who_dies_in_a_process_that_others_had_used_stays_a_suspect() -> None:
    move = settled(running(isolation=Isolation.SUSPECT), DIED)

    assert (move.name, move.isolation, move.charged) == ("interrupt", Isolation.SUSPECT, 0)


@pytest.mark.parametrize("outcome", [RAISED, DIED], ids=["raised", "died"])
def test_a_killer_stays_one_whatever_comes(outcome: Outcome) -> None:
    assert settled(running(isolation=Isolation.KILLER), outcome).isolation is Isolation.KILLER


def test_a_suspect_that_is_stopped_stays_a_suspect() -> None:
    move = settled(running(isolation=Isolation.SUSPECT), RAISED, Reason.STOP)

    assert move.isolation is Isolation.SUSPECT


@pytest.mark.parametrize("reason", [None, Reason.MAX_DURATION])
def test_a_suspect_that_ends_an_attempt_by_itself_is_cleared(reason: Reason | None) -> None:
    assert settled(running(isolation=Isolation.SUSPECT), RAISED, reason).isolation is Isolation.CLEARED


def test_who_is_suspected_a_second_time_stays_isolated() -> None:
    move = settled(running(isolation=Isolation.CLEARED), DIED)

    assert (move.name, move.isolation, move.charged) == ("interrupt", Isolation.KILLER, 0)


def test_an_aborted_execution_keeps_no_result() -> None:
    move = settled(running(is_aborting=True), RETURNED)

    assert (move.source, move.target, move.result) == (State.ABORTING, State.ABORTED, None)
