"""What the address of the list asks for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from defer_cli.console.filters import KEY, Asked, moment_of, read_filters
from defer_cli.domain.errors import SettingError
from tests.unit.api.harness import ALL_STATES

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
DAY = datetime(2026, 11, 25, tzinfo=UTC)


def asked(*pairs: tuple[str, str]) -> Asked:
    return read_filters(pairs, NOON)


@pytest.mark.parametrize(
    ("pair", "name", "value"),
    [
        (("function", "compute"), "functions", ["compute"]),
        (("error", "ER0001"), "error_codes", ["ER0001"]),
        (("came_from", "tick"), "came_from", ["tick"]),
        (("parent", "01kb3m"), "parent", "01kb3m"),
        (("executed_by", "host-1"), "executed_by", "host-1"),
        (("metadata.user", "12"), "metadata", {"user": ["12"]}),
        (("metadata.a.b=c", " & "), "metadata", {"a.b=c": [" & "]}),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else None,
)
def test_each_filter_has_a_name(pair: tuple[str, str], name: str, value: Any) -> None:
    found = asked(pair)
    assert getattr(found.filters, name) == value
    assert found.pairs == (pair,)
    assert not found.problems


@pytest.mark.parametrize("state", ALL_STATES)
def test_states_go_by_their_own_names(state: str) -> None:
    assert asked(("status", state)).filters.states == [state]


def test_several_values_of_one_filter_are_alternatives_and_twice_is_once() -> None:
    found = asked(("status", "failed"), ("status", "aborted"), ("status", "failed"))
    assert found.filters.states == ["failed", "aborted"]


def test_what_forms_leave_empty_asks_for_nothing() -> None:
    empty = [(name, "") for name in ("status", "function", "scheduled_from", "parent", "metadata.user", "nonsense")]
    assert not asked(*empty).pairs


def test_what_is_no_filter_is_passed_over() -> None:
    others = [(name, "x") for name in ("after", "before", "live", "focus", "done", "n", KEY)]
    assert asked(*others) == asked()


def test_of_what_has_one_value_the_last_is_taken() -> None:
    found = asked(("parent", "a"), ("scheduled_from", "2h"), ("parent", "b"), ("scheduled_from", "1h"))
    assert found.pairs == (("parent", "b"), ("scheduled_from", "1h"))
    assert found.filters.scheduled_at.from_ == NOON - timedelta(hours=1)


@pytest.mark.parametrize(
    ("name", "text", "moment"),
    [
        ("scheduled_from", "2h", NOON - timedelta(hours=2)),
        ("scheduled_from", "90 min ago", NOON - timedelta(minutes=90)),
        ("scheduled_to", "In 30 min", NOON + timedelta(minutes=30)),
        ("scheduled_from", "now", NOON),
        ("executed_from", "2026-11-25", DAY),
        ("executed_to", "2026-11-25", DAY + timedelta(days=1, microseconds=-1)),
        ("executed_to", "2026-11-25 08:00", DAY + timedelta(hours=8)),
        ("executed_to", "2026-11-25T08:00:00.000Z", DAY + timedelta(hours=8)),
        ("executed_to", "2026-11-25T08:00+01:00", DAY + timedelta(hours=7)),
    ],
)
def test_moments_are_written_as_people_do(name: str, text: str, moment: datetime) -> None:
    assert moment_of(text, name, NOON) == moment


@pytest.mark.parametrize(
    "text", ["", "soon", "2h in", "2026-13-01", "0001-01-01T00:00+10:00", "in 99999 weeks", "nan", "\0", "9" * 5_000]
)
def test_what_is_no_moment_is_said_so(text: str) -> None:
    with pytest.raises(SettingError, match="is no time"):
        moment_of(text, "scheduled_from", NOON)


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        (("status", "fialed"), "There is no status “fialed”. Did you mean failed?"),
        (("stauts", "failed"), "There is no filter “stauts”. Did you mean status?"),
        (("error", "ER0009"), "There is no error code “ER0009”. Did you mean ER000"),
        (("came_from", "mars"), "There is no origin “mars”. Use call, tick, rerun."),
        (("metadata.", "x"), "There is no filter “metadata.”"),
        (("status", "x" * 5_000), "There is no status “" + "x" * 60 + "…”"),
        (("status", "\x1b[2J\u202e"), r"There is no status “\x1b[2J\u202e”"),
        (("scheduled_from", "soon"), "“soon” is no time. Write 2h ago"),
    ],
    ids=lambda value: value[0][:20] if isinstance(value, tuple) else None,
)
def test_what_is_wrong_is_told_and_left_out(pair: tuple[str, str], words: str) -> None:
    found = asked(("function", "compute"), pair)
    assert found.pairs == (("function", "compute"),)
    (problem,) = found.problems
    assert problem.startswith(words)


def test_a_span_that_begins_after_it_ends_is_told() -> None:
    (problem,) = asked(("executed_from", "1h"), ("executed_to", "2h")).problems
    assert problem == "Executed: it begins after it ends. A longer time ago is earlier."


@pytest.mark.parametrize(
    "pairs",
    [[("function", f"f{n}") for n in range(101)], [(f"metadata.{n}", "x") for n in range(26)]],
    ids=["functions", "keys"],
)
def test_more_than_a_list_takes_is_told(pairs: list[tuple[str, str]]) -> None:
    assert len(asked(*pairs).problems) == 1


def test_a_chip_leads_to_the_list_without_it() -> None:
    found = asked(("status", "created"), ("function", "compute"), ("metadata.user", "a&b=c"))
    assert [(chip.name, chip.value) for chip in found.chips] == [
        ("status", "queued or delayed"),
        ("function", "compute()"),
        ("user", "a&b=c"),
    ]
    assert found.chips[0].without == "/executions?function=compute&metadata.user=a%26b%3Dc"
    assert asked(("parent", "x")).chips[0].without == "/executions"


def test_spans_from_now_are_made_moments_for_later() -> None:
    found = asked(("status", "failed"), ("executed_from", "2h"))
    later = read_filters(found.fixed_pairs, NOON + timedelta(days=1))
    assert later.filters == found.filters
