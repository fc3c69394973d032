"""Tables that lose columns before they break."""

from __future__ import annotations

import pytest

from defer_cli.cli.tables import show_table

LAYOUTS = [("id", "function", "note", "more"), ("id", "function", "note"), ("id", "function")]
ROW = ("a" * 10, "f" * 30, "n" * 10, "m" * 10)


def shown(
    columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, enough: int | None = None
) -> str:
    monkeypatch.setenv("COLUMNS", str(columns))
    show_table(LAYOUTS, lambda number: [ROW[: len(LAYOUTS[number])]], yielding="function", enough=enough)
    return capsys.readouterr().out


@pytest.mark.parametrize(("columns", "headings"), [(66, 4), (65, 3), (54, 3), (53, 2), (42, 2)])
def test_the_richest_layout_that_fits_is_shown(
    columns: int, headings: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = shown(columns, capsys, monkeypatch).splitlines()

    assert len(lines[0].split()) == headings
    assert "…" not in lines[1]


def test_the_last_layout_cuts_one_column(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(30, capsys, monkeypatch).splitlines()[1] == "a" * 10 + "  " + "f" * 17 + "…"


def test_a_layout_may_cut_when_enough_is_left(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = shown(60, capsys, monkeypatch, enough=20).splitlines()

    assert lines[0].split() == ["id", "function", "note", "more"]
    assert len(lines[1]) == 60


def test_where_nothing_fits_a_row_is_a_block(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = shown(20, capsys, monkeypatch).splitlines()

    assert lines[0] == "a" * 10
    assert all(len(line) <= 20 for line in lines)


def test_a_column_that_holds_nothing_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    show_table([("id", "note", "more")], lambda number: [("a", "", "x"), ("b", "", "")], yielding="id")

    assert capsys.readouterr().out == "id  more\na   x\nb\n"


def test_letters_of_two_columns_are_cut_to_fit(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    show_table([("name",)], lambda number: [("日本" * 10,)], yielding="name")

    assert capsys.readouterr().out == "name\n" + "日本" * 4 + "日…\n"
