"""`defer trigger`: times, broken files, and following an execution with --wait."""

from __future__ import annotations

import json
import re
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.command import defer, living, write_function
from tests.acceptance.storing import answered, states

pytestmark = [pytest.mark.process, pytest.mark.timeout(180)]
READY = 'message="runner ready"'
BROKEN = "x = (\n"
SLOW = "@defer\nasync def slow(seconds: float = 600) -> float:\n    await asyncio.sleep(seconds)\n    return seconds\n"


def only(project: Path) -> dict[str, Any]:
    (one,) = json.loads(defer(project, "executions", "--json").out)["items"]
    return dict(one)


def test_spans_count_from_the_call_and_moments_are_utc_if_unsaid(project: Path) -> None:
    before = datetime.now(UTC)
    defer(project, "trigger", "greet", "Ada", "--delay", "1h", "--discard-after", "2090-01-01T08:00")
    after = datetime.now(UTC)
    one = only(project)
    called = datetime.fromisoformat(one["scheduled_at"]) - timedelta(hours=1)

    assert before <= called <= after
    assert datetime.fromisoformat(one["discard_after"]) == datetime(2090, 1, 1, 8, tzinfo=UTC)


def test_what_is_not_started_in_time_is_discarded(project: Path) -> None:
    id = defer(project, "trigger", "greet", "Ada", "--discard-after", "0").out.strip()
    with living(project, "run", ready=READY):
        waited = defer(project, "trigger", "greet", "Bob", "--discard-after", "0", "--wait", "--timeout", "60")

    assert states(project)[id] == "discarded"
    assert waited.code == 6
    assert "greet was discarded" in waited.err


def test_a_function_is_triggered_though_another_file_is_broken(project: Path) -> None:
    write_function(project, "other", BROKEN)

    assert defer(project, "trigger", "greet", "Ada").code == 0


def test_a_broken_file_is_shown_to_who_triggers_its_function(project: Path) -> None:
    write_function(project, "other", BROKEN)
    write_function(project, "greet", BROKEN)
    answer = defer(project, "trigger", "greet", "Ada")

    assert (answer.code, answer.out) == (3, "")
    assert "where: src/defer/greet.py:" in answer.err
    assert "other.py" not in answer.err


def test_a_wrong_name_is_a_wrong_name_whatever_is_broken(project: Path) -> None:
    write_function(project, "other", BROKEN)
    answer = defer(project, "trigger", "gret", "Ada")

    assert (answer.code, answer.out) == (4, "")
    assert "1 problem in other files" in answer.err
    assert "did you mean 'greet'?" in answer.err


def test_a_runner_runs_the_last_good_version_of_a_file_that_broke(project: Path) -> None:
    with living(project, "dev", ready="is ready") as runner:
        write_function(project, "greet", BROKEN)
        runner.line_with("where: src/defer/greet.py:")
        answer = defer(project, "trigger", "greet", "Ada", "2", "--wait", "--timeout", "60")
        wrong = defer(project, "trigger", "greet", "Ada", "2", "3")

    assert (answer.code, answer.out.splitlines()[1:]) == (0, ['"AdaAda"'])
    assert "warning: greet is broken now; the runner has its last good version" in answer.err
    assert wrong.code == 2


def test_a_wait_tells_of_the_retry_that_comes(project: Path) -> None:
    write_function(
        project,
        "flaky",
        "from defer_cli import current_execution\n\n\n"
        "@defer(retry={'max_attempts': 1, 'initial_interval': 3, 'randomization_factor': 0})\n"
        "async def flaky() -> int:\n    if current_execution().attempt == 1:\n        raise ValueError('not yet')\n"
        "    return 2\n",
    )
    with living(project, "run", ready=READY):
        waited = defer(project, "trigger", "flaky", "--wait", "--timeout", "60")

    assert (waited.code, waited.out.splitlines()[1:]) == (0, ["2"])
    assert re.search(
        r"^flaky created, attempt 1 failed, retry at 20\d\d-\d\d-\d\d \d\d:\d\d(:\d\d)? UTC$", waited.err, re.MULTILINE
    )


def test_a_failure_is_told_with_its_place_and_where_its_traceback_is(project: Path) -> None:
    with living(project, "run", ready=READY):
        waited = defer(project, "trigger", "broken", "--wait", "--timeout", "60")
    id = waited.out.strip()

    assert waited.code == 6
    assert waited.err.endswith(
        "error: broken failed: ValueError: no\\x1b[31m way\n"
        "  where: src/defer/broken.py:8\n"
        f"  mend:  `defer show {id}` has the traceback\n"
    )


def test_on_a_terminal_one_line_is_redrawn_and_never_folds(project: Path) -> None:
    write_function(project, "slow", SLOW)
    with living(project, "run", ready=READY):
        told = answered(project, ["trigger", "slow", "2", "--wait"], env={"COLUMNS": "20"})
    _, line, result, _ = told.out.split("\r\n")
    shown = [part.removeprefix("\x1b[K") for part in line.split("\r") if part]

    assert (told.code, result) == (0, "2")
    assert len(shown) > 1
    assert all(len(part) < 20 for part in shown)
    assert shown[-1] == "slow succeed after…"


def test_no_color_asks_for_lines(project: Path) -> None:
    write_function(project, "slow", SLOW)
    with living(project, "run", ready=READY):
        told = answered(project, ["trigger", "slow", "2", "--wait"], env={"NO_COLOR": "1"})

    lines = told.out.splitlines()[1:]
    assert [line for line in lines if line != "slow succeed"] == ["slow started", "2"]  # a look may meet the very end


def test_a_wait_that_times_out_or_is_interrupted_leaves_it_running_and_says_so(project: Path) -> None:
    write_function(project, "slow", SLOW)
    with living(project, "run", ready=READY):
        late = defer(project, "trigger", "slow", "--wait", "--timeout", "1.5")
        with living(project, "trigger", "slow", "--wait", ready="slow started") as waiting:
            waiting.process.send_signal(signal.SIGINT)
            told = waiting.line_with("no longer waiting")
            code = waiting.process.wait(60)
        running = states(project)
        defer(project, "cancel", "--all", "--force", "--yes")

    assert (late.code, f"see `defer show {late.out.strip()}`" in late.err) == (124, True)
    assert code == 130
    assert "the execution goes on: `defer cancel --force" in told
    assert set(running.values()) == {"started"}


def test_a_wait_hears_of_a_cancel(project: Path) -> None:
    with (
        living(project, "run", ready=READY),
        living(project, "trigger", "greet", "Ada", "--delay", "1h", "--wait", ready="greet created, due at") as waiting,
    ):
        defer(project, "cancel", "--all", "--yes")
        waiting.line_with("error: greet was cancelled")
        assert waiting.process.wait(60) == 6
