"""How `defer executions` walks over pages that may hold fewer than were asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from defer_cli.cli import access, executions
from defer_cli.cli.filters import choose
from defer_cli.cli.place import DataPlace
from defer_cli.link.project import DataFolder


class Pages:
    """Answers with pages that were laid out before, and notes what was asked."""

    def __init__(self, *pages: tuple[list[int], bool]) -> None:
        self._pages = list(pages)
        self.asked: list[dict[str, Any]] = []

    def __call__(self, data: DataFolder, question: str, *, page: dict[str, Any], filters: Any) -> dict[str, Any]:
        self.asked.append(page)
        items, has_more = self._pages.pop(0)
        number = len(self.asked)
        is_backward = "before" in page
        info = {
            "has_next_page": True if is_backward else has_more,
            "has_prev_page": has_more if is_backward else page["after"] is not None,
            "start_cursor": f"c{number}0",
            "end_cursor": f"c{number}f",
        }
        return {"items": [{"id": item} for item in items], "page_info": info}


def walked(monkeypatch: pytest.MonkeyPatch, pages: Pages, **options: Any) -> executions._Walk:
    monkeypatch.setattr(access, "ask", pages)
    place = DataPlace(project=None, data=DataFolder(str(Path.cwd())))
    walk = executions._Walk(place, choose(), **{"limit": 5, "after": None, "before": None, **options})
    walk.run()
    return walk


def numbers(walk: executions._Walk) -> list[int]:
    return [item["id"] for item in walk.items]


def test_a_search_that_stops_early_is_gone_on_with(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = Pages(([9], True), ([], True), ([7, 5, 4, 2], True))
    walk = walked(monkeypatch, pages)

    assert numbers(walk) == [9, 7, 5, 4, 2]
    assert pages.asked == [{"first": 5, "after": None}, {"first": 4, "after": "c1f"}, {"first": 4, "after": "c2f"}]
    assert (walk.page_info["start_cursor"], walk.page_info["end_cursor"]) == ("c10", "c3f")
    assert (walk.page_info["has_prev_page"], walk.page_info["has_next_page"]) == (False, True)
    assert not walk.has_stopped_early


def test_backward_the_pages_are_laid_in_front(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = Pages(([4, 2], True), ([9], False))
    walk = walked(monkeypatch, pages, before="c1")

    assert numbers(walk) == [9, 4, 2]
    assert pages.asked == [{"last": 5, "before": "c1"}, {"last": 3, "before": "c10"}]
    assert (walk.page_info["start_cursor"], walk.page_info["end_cursor"]) == ("c20", "c1f")
    assert (walk.page_info["has_prev_page"], walk.page_info["has_next_page"]) == (False, True)


def test_the_end_of_the_list_ends_the_walk(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = Pages(([9], True), ([7], False))

    assert numbers(walked(monkeypatch, pages)) == [9, 7]


def test_a_search_that_takes_very_long_stops_and_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(executions, "_PATIENCE_SECONDS", -1)
    walk = walked(monkeypatch, Pages(([9], True), ([7], True)))
    executions._tell_of_more(walk, ["defer", "executions"])

    assert numbers(walk) == [9]
    assert capsys.readouterr().err.splitlines() == [
        "the search took long and stopped here; the next page goes on with it",
        "older: defer executions --after c1f",
    ]


def test_full_pages_are_fetched_however_long_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executions, "_PATIENCE_SECONDS", -1)
    full = list(range(500))
    pages = Pages((full, True), (full, True))
    walk = walked(monkeypatch, pages, limit=1_000)

    assert len(walk.items) == 1_000
    assert [page["first"] for page in pages.asked] == [500, 500]
