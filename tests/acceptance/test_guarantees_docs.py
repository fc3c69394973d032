"""docs/guarantees.md says of each promise what is written of it, and what the last whole run of the faults found."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from docs import draw_guarantees
from docs.draw_guarantees import Measured, draw, kept
from docs.promises import PROMISES
from tests.faults.figures import FIGURES, Figure, tell

TESTS = Path(__file__).parents[1]
SAMPLE = Measured(
    on="2026-11-26",
    machine="2 cores (one CPU), 8 GB, Linux 6.1",
    python="3.11.2",
    sqlite="3.40.1",
    findings=[
        Figure(promises=(1, 4), fault="kill -9 of the runner", runs=1_234, found="accepted and lost: 0"),
        Figure(promises=(5,), fault="a poison that is_killed", runs=1, found="0 charged | 2 lost"),
    ],
)


def sections(page: str) -> dict[int, str]:
    return {int(number): text for number, text in re.findall(r"(?ms)^## (\d+)\. (.*?)(?=^## )", page)}


def test_the_page_is_drawn_from_the_promises_and_the_last_run() -> None:
    assert draw(kept()) == draw_guarantees.PAGE.read_text()


def test_before_the_first_run_the_promises_are_told_and_nothing_is_claimed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(draw_guarantees, "MEASURED", tmp_path / "none")
    page = draw(kept())

    assert list(sections(page)) == list(range(1, 16))
    assert "No whole run is kept yet" in page
    assert "| runs |" not in page


def test_each_promise_has_a_section_and_tests_that_are_there() -> None:
    assert [promise.number for promise in PROMISES] == list(range(1, 16))
    assert list(sections(draw(SAMPLE))) == list(range(1, 16))
    assert [file for promise in PROMISES for file in promise.tests if not (TESTS / file).is_file()] == []


def test_a_finding_is_a_row_of_each_promise_it_is_about() -> None:
    found = sections(draw(SAMPLE))

    row = "kill -9 of the runner | 1,234 | accepted and lost: 0 |"
    assert [number for number, text in found.items() if row in text] == [1, 4]
    assert "| 1 | kill" in found[1]
    assert "| 4 | kill" in found[4]
    assert r"| 5 | a poison that is\_killed | 1 | 0 charged \| 2 lost |" in found[5]
    assert "| runs |" not in found[15]


def test_where_it_was_measured_is_told() -> None:
    assert (
        "2026-11-26, 1,235 faults injected; 2 cores (one CPU), 8 GB, Linux 6.1, Python 3.11.2, SQLite 3.40.1"
        in draw(SAMPLE)
    )


def test_what_the_tests_tell_is_kept_and_drawn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    told, found, page = tmp_path / "told", tmp_path / "found", tmp_path / "page"
    monkeypatch.setenv(FIGURES, str(told))
    monkeypatch.setattr(draw_guarantees, "MEASURED", found)
    monkeypatch.setattr(draw_guarantees, "PAGE", page)
    tell(2, 3, fault="a cut", runs=7, found="stuck: 0")
    draw_guarantees.main([str(told)])

    assert "| 3 | a cut | 7 | stuck: 0 |" in sections(page.read_text())[3]
    assert page.read_text() == draw(kept())
    assert json.loads(found.read_text())["findings"] == [
        {"promises": [2, 3], "fault": "a cut", "runs": 7, "found": "stuck: 0"}
    ]


def test_a_run_that_told_nothing_draws_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(draw_guarantees, "PAGE", tmp_path / "page")
    with pytest.raises(FileNotFoundError):
        draw_guarantees.main([str(tmp_path / "told")])

    assert not (tmp_path / "page").exists()
