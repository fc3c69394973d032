"""Lists of executions, by every route: pages both ways, every filter, and pages too large for one answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import pytest

from defer_cli import Execution, Filters, Interval, Listing, Page, State
from defer_cli.changes import MOST_AT_ONCE
from defer_cli.domain.ids import random_id
from tests.contract.conftest import Makers
from tests.contract.desk import Desk
from tests.process.harness import Client

pytestmark = pytest.mark.process

T = TypeVar("T")
TAG = "crowd"
LARGE = {f"{number:02}" + "k" * 254: "v" * 256 for number in range(24)}
"""With a tag, as much metadata as a call may carry: 12 KiB."""


@pytest.fixture(scope="session")
def seven(desk: Desk) -> list[str]:
    """Give seven executions, newest first, that share a metadata value of their own."""
    tag = random_id()
    ids = [desk.call("echo", number, delay="1h", metadata={"seven": tag}).id for number in range(7)]
    return [tag, *reversed(ids)]


def walked(fetch: Callable[[Page], Listing[T]], page: Page) -> list[list[T]]:
    """Return the items of all pages, from the first one on in its own direction."""
    pages: list[list[T]] = []
    while True:
        found = fetch(page)
        pages.append(found.items)
        info = found.page_info
        if not (info.has_prev_page if page.is_backward else info.has_next_page):
            return pages
        if page.is_backward:
            page = Page(last=page.size, before=info.start_cursor)
        else:
            page = Page(first=page.size, after=info.end_cursor)


def ids_of(desk: Desk, filters: Filters, page: Page) -> list[list[str]]:
    """Return the ids on all pages."""
    return [[one.id for one in items] for items in walked(lambda page: desk.list(page, filters), page)]


def test_pages_are_walked_forward(desk: Desk, seven: list[str]) -> None:
    tag, *ids = seven

    assert ids_of(desk, Filters(metadata={"seven": [tag]}), Page(first=3)) == [ids[:3], ids[3:6], ids[6:]]


def test_pages_are_walked_backward(desk: Desk, seven: list[str]) -> None:
    tag, *ids = seven

    assert ids_of(desk, Filters(metadata={"seven": [tag]}), Page(last=3)) == [ids[4:], ids[1:4], ids[:1]]


def test_a_page_says_what_lies_on_either_side(desk: Desk, seven: list[str]) -> None:
    tag, *ids = seven
    filters = Filters(metadata={"seven": [tag]})
    first = desk.list(Page(first=3), filters)
    middle = desk.list(Page(first=3, after=first.page_info.end_cursor), filters)
    last = desk.list(Page(after=middle.page_info.end_cursor), filters)
    back = desk.list(Page(before=middle.page_info.start_cursor), filters)

    sides = [(one.page_info.has_prev_page, one.page_info.has_next_page) for one in (first, middle, last, back)]
    assert sides == [(False, True), (True, True), (True, False), (False, True)]
    assert [execution.id for execution in back] == ids[:3]


def test_a_list_may_lie_between_two_cursors(desk: Desk, seven: list[str]) -> None:
    tag, *ids = seven
    filters = Filters(metadata={"seven": [tag]})
    outer = desk.list(None, filters)
    ends = [desk.list(Page(first=1, after=outer.page_info.start_cursor), filters), desk.list(Page(last=1), filters)]
    between = Page(after=ends[0].page_info.end_cursor, before=ends[1].page_info.start_cursor)

    assert [execution.id for execution in desk.list(between, filters)] == ids[2:6]


def test_a_list_of_nothing_is_one_empty_page(desk: Desk) -> None:
    found = desk.list(Page(first=3), Filters(functions=["nobody"]))
    info = found.page_info

    assert (found.items, info.has_next_page, info.has_prev_page) == ([], False, False)
    assert (info.start_cursor, info.end_cursor) == (None, None)


def test_a_list_shows_executions_as_they_are(desk: Desk, seven: list[str]) -> None:
    tag, *ids = seven
    found = desk.list(None, Filters(metadata={"seven": [tag]}))

    assert found.items == [desk.get(id) for id in ids]


def test_attempts_are_in_no_list(desk: Desk, client: Client) -> None:
    id = desk.call("flaky", 2).id
    client.wait(id)

    assert [one.id for one in desk.list(None, Filters(functions=["flaky"])) if one.id.startswith(id)] == [id]


# Filters.


@dataclass
class Mixed:
    """Executions of every kind, and what they have in common."""

    tag: str
    by_name: dict[str, Execution]

    def names(self, found: list[Execution]) -> set[str]:
        names = {execution.id: name for name, execution in self.by_name.items()}
        return {names[execution.id] for execution in found}


@pytest.fixture(scope="session")
def mixed(desk: Desk, keeper: Makers, client: Client) -> Mixed:
    tag = random_id()
    ids = {
        "done": keeper.new(State.SUCCEED, "echo", metadata={"mixed": tag, "user": "1", "team": "a"}),
        "failed": keeper.new(State.FAILED, metadata={"mixed": tag, "user": "2", "team": "a"}),
        "cancelled": keeper.new(State.CANCELLED, "echo", metadata={"mixed": tag, "user": "3", "team": "b"}),
        "running": keeper.new(State.STARTED, metadata={"mixed": tag}),
    }
    ids["again"] = desk.rerun(ids["done"]).id
    client.wait(ids["again"])
    ids["late"] = desk.call("echo", delay="3d", metadata={"mixed": tag}).id
    return Mixed(tag, {name: desk.get(id) for name, id in ids.items()})


def _at(name: str) -> Callable[[Mixed], Filters]:
    return lambda mixed: Filters(
        started_at=Interval(from_=mixed.by_name[name].started_at, to=mixed.by_name[name].started_at)
    )


@pytest.mark.parametrize(
    ("narrowed", "names"),
    [
        (lambda mixed: Filters(), "done failed cancelled running again late"),
        (lambda mixed: Filters(states=["failed"]), "failed"),
        (lambda mixed: Filters(states=[State.SUCCEED, State.CANCELLED]), "done again cancelled"),
        (lambda mixed: Filters(states=["discarded"]), ""),
        (lambda mixed: Filters(functions=["broken"]), "failed"),
        (lambda mixed: Filters(functions=["hold", "broken"]), "running failed"),
        (lambda mixed: Filters(error_codes=["ER0003"]), "failed"),
        (lambda mixed: Filters(error_codes=["ER0001", "ER0003"]), "failed"),
        (lambda mixed: Filters(error_codes=["ER0002"]), ""),
        (lambda mixed: Filters(scheduled_at=Interval(from_=datetime.now(UTC) + timedelta(days=2))), "late"),
        (
            lambda mixed: Filters(scheduled_at=Interval(to=datetime.now(UTC) + timedelta(hours=2))),
            "done failed cancelled running again",
        ),
        (
            lambda mixed: Filters(started_at=Interval(from_=datetime(2020, 1, 1, tzinfo=UTC))),
            "done failed running again",
        ),
        (lambda mixed: Filters(started_at=Interval(to=datetime(2020, 1, 1, tzinfo=UTC))), ""),
        (_at("done"), "done"),
        (lambda mixed: Filters(metadata={"user": ["1"]}), "done again"),
        (lambda mixed: Filters(metadata={"user": ["1", "2", "9"]}), "done again failed"),
        (lambda mixed: Filters(metadata={"user": ["1", "2"], "team": ["a", "b"]}), "done again failed"),
        (lambda mixed: Filters(metadata={"user": ["1", "3"], "team": ["b"]}), "cancelled"),
        (lambda mixed: Filters(metadata={"team": ["1"]}), ""),
        (lambda mixed: Filters(executed_by=mixed.by_name["done"].executed_by), "done failed running again"),
        (lambda mixed: Filters(executed_by="nobody"), ""),
        (lambda mixed: Filters(came_from=["rerun"]), "again"),
        (lambda mixed: Filters(came_from=["call"]), "done failed cancelled running late"),
        (lambda mixed: Filters(came_from=["call", "rerun"]), "done failed cancelled running again late"),
        (lambda mixed: Filters(came_from=["tick"]), ""),
        (lambda mixed: Filters(parent=mixed.by_name["done"].id), ""),
        (lambda mixed: Filters(states=["succeed"], came_from=["call"], metadata={"user": ["1"]}), "done"),
        (lambda mixed: Filters(states=["failed"], came_from=["rerun"]), ""),
    ],
)
def test_a_list_is_narrowed(desk: Desk, mixed: Mixed, narrowed: Callable[[Mixed], Filters], names: str) -> None:
    asked = narrowed(mixed)
    filters = Filters(
        **{name: getattr(asked, name) for name in asked.__slots__ if name != "metadata"},
        metadata={**asked.metadata, "mixed": [mixed.tag]},
    )

    def fetch(page: Page) -> Listing[Execution]:
        return desk.list(page, filters)

    assert mixed.names(fetch(Page()).items) == set(names.split())
    assert mixed.names([one for page in walked(fetch, Page(last=2)) for one in page]) == set(names.split())


def test_the_children_of_an_execution_are_found_by_it(desk: Desk, client: Client) -> None:
    parent = desk.call("parent").id
    client.wait(parent)
    children = desk.list(None, Filters(parent=parent))

    assert [child.id for child in reversed(children.items)] == desk.result(parent)
    assert {child.parent for child in children} == {parent}


# Large pages.


@pytest.fixture(scope="session")
def crowd(client: Client) -> str:
    """Give the metadata value of 500 executions whose metadata are as large as they may be: 6 MiB."""
    tag = random_id()
    for _ in range(2):
        client.calls("echo", [[]] * 250, metadata={TAG: tag} | LARGE, scheduled_us=2_000_000_000_000_000)
    return tag


@pytest.fixture(scope="session")
def wordy(desk: Desk, client: Client) -> str:
    """Give an execution of 41 attempts whose errors are as long as they may be: 5 MiB."""
    id = desk.call("wordy").id
    assert client.wait(id) == "failed"
    return id


@pytest.mark.parametrize("page", [Page(first=500), Page(last=500)])
def test_a_page_that_no_frame_could_hold_is_cut_and_goes_on(desk: Desk, crowd: str, page: Page) -> None:
    pages = ids_of(desk, Filters(metadata={TAG: [crowd]}), page)

    assert len(pages) == 2
    assert len({id for ids in pages for id in ids}) == 500


@pytest.mark.parametrize("page", [Page(first=500), Page(last=500)])
def test_attempts_that_no_frame_could_hold_are_cut_and_go_on(desk: Desk, wordy: str, page: Page) -> None:
    pages = walked(lambda page: desk.attempts(wordy, page), page)
    newest_first = [one.number for attempts in (reversed(pages) if page.is_backward else pages) for one in attempts]

    assert len(pages) == 2
    assert newest_first == list(range(41, 0, -1))


def test_as_many_changes_as_may_be_asked_for_at_once_fit_an_answer(desk: Desk, client: Client, crowd: str) -> None:
    ids = [one.id for one in desk.list(Page(first=MOST_AT_ONCE), Filters(metadata={TAG: [crowd]}))]
    changes = client.ask("reschedule", ids=ids, scheduled_us=2_000_000_000_000_000)

    assert len(changes) == MOST_AT_ONCE
    assert not any(change["refusal"] for change in changes)
