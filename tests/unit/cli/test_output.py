"""How text, tables and times are shown."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import pytest

from defer_cli.cli.output import (
    cut,
    distance_words,
    exact_words,
    fitted,
    has_colour,
    moment_words,
    short_distance,
)
from defer_cli.cli.tables import show_rows

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
HEADINGS = ("name", "kind", "in words")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_long_text_is_cut() -> None:
    assert cut("abcdef", 4) == "abc…"


def rows_at(columns: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv("COLUMNS", columns)
    stream = io.StringIO()
    show_rows(HEADINGS, [("send", "function", ""), ("日本", "cron", "At 08:00, only on Monday " * 3)], stream=stream)
    return stream.getvalue().splitlines()


def test_a_wide_terminal_gets_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [line.split() for line in rows_at("200", monkeypatch)[:2]] == [
        ["name", "kind", "in", "words"],
        ["send", "function"],
    ]


def test_columns_line_up_under_letters_of_two_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    _, first, second = rows_at("200", monkeypatch)

    assert first.index("function") == second.index("cron") + 2


def test_a_narrow_terminal_gets_blocks_that_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = rows_at("40", monkeypatch)

    assert max(map(len, lines)) <= 40
    assert lines[0] == "send"


def test_a_list_in_a_block_is_folded_between_its_items(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    stream = io.StringIO()
    show_rows(
        ("name", "next"), [("send", "2026-11-30 08:00 (in 6d 10h), 2026-12-07 08:00 (in 13d 10h)")], stream=stream
    )

    assert stream.getvalue().splitlines()[1:] == [
        "  next  2026-11-30 08:00 (in 6d 10h),",
        "        2026-12-07 08:00 (in 13d 10h)",
    ]


def test_a_pipe_gets_a_table_however_long(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(rows_at("", monkeypatch)) == 3


def test_a_cell_cannot_break_out_of_its_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    stream = io.StringIO()
    show_rows(("name", "kind"), [("a\nb\x1b[2J", "cron")], stream=stream)

    assert stream.getvalue().splitlines()[1:] == [r"a\nb\x1b[2J  cron"]


def test_a_terminal_has_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")

    assert has_colour(Terminal())


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_colour_can_be_declined(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)

    assert not has_colour(Terminal())


def test_a_pipe_has_no_colour() -> None:
    assert not has_colour(io.StringIO())


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (timedelta(days=3, hours=4), "in 3d 4h"),
        (timedelta(minutes=-2), "2m ago"),
        (timedelta(seconds=-12.4), "12 s ago"),
        (timedelta(milliseconds=300), "now"),
    ],
)
def test_a_distance_is_told_from_now(span: timedelta, words: str) -> None:
    assert distance_words(NOON + span, now=NOON) == words


def test_a_moment_is_told_in_utc() -> None:
    assert moment_words(NOON) == "2026-11-23 12:00 UTC"


def test_an_exact_moment_has_its_seconds() -> None:
    assert exact_words(NOON) == "2026-11-23 12:00:00 UTC"


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (timedelta(seconds=0.4), "now"),
        (timedelta(seconds=-0.6), "1 s ago"),
        (timedelta(seconds=119), "in 119 s"),
        (timedelta(seconds=-120), "2m ago"),
        (timedelta(minutes=119, seconds=40), "in 2h"),
        (timedelta(hours=-47), "47h ago"),
        (timedelta(days=-383, hours=5), "383d ago"),
    ],
)
def test_a_short_distance_has_one_unit(span: timedelta, words: str) -> None:
    assert short_distance(NOON + span, now=NOON) == words


@pytest.mark.parametrize(("text", "shown"), [("abcdef", "abcd…"), ("abcde", "abcde"), ("日本語", "日本…"), ("", "")])
def test_text_is_cut_to_columns(text: str, shown: str) -> None:
    assert fitted(text, 5) == shown
