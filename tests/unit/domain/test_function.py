"""The options of a function, checked when it is defined."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from defer_cli.domain.errors import SettingError
from defer_cli.domain.function import FunctionOptions, Problem, function_options
from defer_cli.domain.retry import NO_RETRY, SMART_RETRY


def test_the_defaults_are_smart_retry_and_half_an_hour() -> None:
    options = function_options()

    assert options == FunctionOptions()
    assert (options.retry, options.concurrency) == (SMART_RETRY, None)
    assert options.max_duration == timedelta(minutes=30)


def test_every_option_is_taken() -> None:
    options = function_options(
        retry=False,
        concurrency=1,
        max_duration="90 s",
        max_concurrency_action="cancel",
        catch_up="none",
        alert=False,
        max_memory="1 GB",
    )

    assert options == FunctionOptions(
        retry=NO_RETRY,
        concurrency=1,
        max_duration=timedelta(seconds=90),
        max_concurrency_action="cancel",
        catch_up="none",
        alert=False,
        max_memory=1_000_000_000,
    )


@pytest.mark.parametrize(
    ("given", "where"),
    [
        ({"retry": "yes"}, "retry"),
        ({"retry": {"max_attempts": -1}}, "retry.max_attempts"),
        ({"concurrency": 0}, "concurrency"),
        ({"concurrency": -1}, "concurrency"),
        ({"concurrency": True}, "concurrency"),
        ({"concurrency": 2.0}, "concurrency"),
        ({"concurrency": "2"}, "concurrency"),
        ({"max_duration": 0}, "max_duration"),
        ({"max_duration": "-1s"}, "max_duration"),
        ({"max_duration": "later"}, "max_duration"),
        ({"max_duration": False}, "max_duration"),
        ({"max_concurrency_action": "drop"}, "max_concurrency_action"),
        ({"max_concurrency_action": None}, "max_concurrency_action"),
        ({"alert": "never"}, "alert"),
        ({"max_memory": "much"}, "max_memory"),
        ({"max_memory": 10}, "max_memory"),
        ({"alert": None}, "alert"),
        ({"catch_up": "all"}, "catch_up"),
        ({"catch_up": ["latest"]}, "catch_up"),
    ],
    ids=str,
)
def test_a_wrong_option_is_refused_where_it_stands(given: dict[str, Any], where: str) -> None:
    with pytest.raises(SettingError) as refused:
        function_options(**given)

    assert refused.value.where == where
    assert refused.value.mend


def test_the_choices_of_an_option_are_named() -> None:
    with pytest.raises(SettingError, match="use 'keep' or 'cancel'"):
        function_options(max_concurrency_action="drop")


@pytest.mark.parametrize(("line", "where"), [(7, "send.py:7"), (None, "send.py")])
def test_a_problem_says_where_it_is(line: int | None, where: str) -> None:
    assert Problem(code="DEF001", problem="none", file="send.py", line=line).where == where
