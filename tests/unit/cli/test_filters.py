"""Filter options of a command line as filters of a list, and the words for the same list again."""

from __future__ import annotations

import inspect
from datetime import UTC, datetime, timedelta
from typing import Annotated

import pytest

from defer_cli.cli.failures import UsageError
from defer_cli.cli.filters import Chosen, choose, filtered, moment_of
from defer_cli.domain.paging import Filters, Interval

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def test_nothing_given_is_everything() -> None:
    chosen = choose()

    assert chosen.is_everything
    assert chosen.filters == Filters()


def test_options_are_repeated_or_hold_commas() -> None:
    chosen = choose(state=["failed,ABORTED", "failed"], function=["send,mail"], error_code=["er0003"])

    assert chosen.filters == Filters(states=("failed", "aborted"), functions=("send", "mail"), error_codes=("ER0003",))


def test_values_of_one_key_are_alternatives() -> None:
    chosen = choose(metadata=["user=1", "user=2", "week=a=b", "empty="])

    assert chosen.filters.metadata == {"user": ["1", "2"], "week": ["a=b"], "empty": [""]}


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2h", datetime(2026, 11, 24, 10, tzinfo=UTC)),
        ("3 days", datetime(2026, 11, 21, 12, tzinfo=UTC)),
        ("3 days ago", datetime(2026, 11, 21, 12, tzinfo=UTC)),
        ("1h30m", datetime(2026, 11, 24, 10, 30, tzinfo=UTC)),
        ("now", NOW),
        ("2026-11-20", datetime(2026, 11, 20, tzinfo=UTC)),
        ("20261120", datetime(2026, 11, 20, tzinfo=UTC)),
        ("2026-11-20T08:30", datetime(2026, 11, 20, 8, 30, tzinfo=UTC)),
        ("2026-11-20 08:30:01", datetime(2026, 11, 20, 8, 30, 1, tzinfo=UTC)),
        ("2026-11-20T08:30Z", datetime(2026, 11, 20, 8, 30, tzinfo=UTC)),
        ("2026-11-20T08:30+02:00", datetime(2026, 11, 20, 6, 30, tzinfo=UTC)),
    ],
)
def test_a_time_is_a_span_ago_or_a_moment_in_utc(text: str, moment: datetime) -> None:
    assert moment_of(text, "--since", now=NOW) == moment


def test_a_bare_date_lasts_to_its_end() -> None:
    day = timedelta(days=1)
    ends = moment_of("2026-11-20", "--until", now=NOW, is_end=True)

    assert ends == datetime(2026, 11, 20, tzinfo=UTC) + day - timedelta(microseconds=1)
    assert moment_of("2026-11-20T00:00", "--until", now=NOW, is_end=True) == datetime(2026, 11, 20, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "soon", "12", "2026-13-01", "2026-11-20T25:00", "-2h", "0001-01-01T00:00+14:00"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no time") as caught:
        moment_of(text, "--since", now=NOW)

    assert caught.value.where == "--since"


def test_a_span_that_begins_after_its_end_is_refused() -> None:
    with pytest.raises(UsageError, match="begins after it ends"):
        choose(since="1h", until="2h")


@pytest.mark.parametrize(
    ("given", "mend"),
    [
        ({"state": ["faild"]}, "did you mean 'failed'?"),
        ({"state": ["canceled"]}, "did you mean 'cancelled'?"),
        ({"state": ["success"]}, "did you mean 'succeed'?"),
        ({"state": ["running"]}, "did you mean 'started'?"),
        ({"state": ["runing"]}, "did you mean 'started'?"),
        ({"state": ["queued"]}, "did you mean 'created'?"),
        ({"error_code": ["ER3"]}, "did you mean 'ER0003'?"),
        ({"came_from": ["tik"]}, "did you mean 'tick'?"),
        ({"came_from": ["x"]}, "use call, tick, rerun"),
        ({"metadata": ["user"]}, "write --metadata user=12"),
        ({"metadata": ["=1"]}, "write --metadata user=12"),
    ],
)
def test_a_wrong_word_gets_the_nearest_right_one(given: dict[str, list[str]], mend: str) -> None:
    with pytest.raises(UsageError) as caught:
        choose(**given)  # type: ignore[arg-type]

    assert caught.value.mend == mend


def test_too_many_choices_are_refused_by_their_option() -> None:
    with pytest.raises(UsageError) as caught:
        choose(metadata=[f"k{number}=1" for number in range(26)])

    assert caught.value.where == "--metadata"


def test_the_words_ask_for_the_same_list_again() -> None:
    chosen = choose(
        state=["failed"],
        function=["a", "b"],
        error_code=["ER0001"],
        metadata=["user=1 2", "user=3"],
        since="2h",
        until="2026-11-24",
        came_from=["call"],
        parent="p",
        executed_by="r",
        now=NOW,
    )
    words = dict[str, list[str]]()
    for flag, value in zip(chosen.words[::2], chosen.words[1::2], strict=True):
        words.setdefault(flag.removeprefix("--").replace("-", "_"), []).append(value)
    alone = {name: words.pop(name)[0] for name in ("since", "until", "parent", "executed_by")}
    again = choose(**words, **alone, now=NOW + timedelta(hours=5))  # type: ignore[arg-type]

    assert again.filters == chosen.filters


def test_filters_travel_as_plain_data() -> None:
    data = choose(state=["failed"], since="1h", now=NOW).data()

    assert tuple(data["states"]) == ("failed",)
    assert data["scheduled_at"] == {"from_": "2026-11-24T11:00:00Z", "to": None}


def test_a_command_gets_the_options_where_it_takes_what_is_chosen() -> None:
    @filtered
    def command(*, first: Annotated[int, "x"] = 1, chosen: Chosen, last: int = 2) -> int:
        """Do it."""
        return len(chosen.filters.states) + first * 10 + last * 100

    names = list(inspect.signature(command).parameters)

    assert command(first=3, last=4, state=["failed", "created"]) == 432
    assert (names[0], names[1], names[-1]) == ("first", "state", "last")
    assert command.__doc__ == "Do it."


def test_both_ends_of_the_interval_are_the_options() -> None:
    chosen = choose(since="2h", until="1h", now=NOW)

    assert chosen.filters.scheduled_at == Interval(from_=NOW - timedelta(hours=2), to=NOW - timedelta(hours=1))
