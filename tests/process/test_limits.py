"""Never more than `concurrency` of a function at once, in the order of the queue."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from defer_cli.domain.states import State
from tests.process.harness import Client, Project, Runner

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def project(make_project: Callable[[], Project]) -> Project:
    project = make_project()
    project.write(
        three="""
            @defer(concurrency=3)
            async def three():
                began = time.monotonic_ns()
                await asyncio.sleep(0.02)
                note("spans", f"{began} {time.monotonic_ns()}")
        """,
        one="""
            @defer(concurrency=1, retry={'initial_interval': 0.2, 'randomization_factor': 0})
            async def one(number):
                note("order", number)
                if number == 3 and current_execution().attempt == 1:
                    raise ValueError
                await asyncio.sleep(0.02)
        """,
        busy="""
            @defer(concurrency=1, max_concurrency_action="cancel")
            async def busy(number):
                note("busy", number)
                await until_noted("busy-go")
        """,
        patient="""
            @defer(concurrency=1)
            async def patient(number):
                note("patient", number)
                await until_noted("patient-go")
        """,
        free="""
            @defer
            async def free(): ...
        """,
    )
    return project


@pytest.fixture(scope="module")
def runner(project: Project) -> Iterator[Runner]:
    with project.run("--workers", "2") as runner:
        yield runner


@pytest.fixture
def client(runner: Runner) -> Iterator[Client]:
    with runner.client() as client:
        yield client


def highest_overlap(spans: list[tuple[int, int]]) -> int:
    steps = sorted([(began, 1) for began, _ in spans] + [(ended, -1) for _, ended in spans])
    running = highest = 0
    for _, step in steps:
        running += step
        highest = max(highest, running)
    return highest


def test_no_more_than_the_limit_run_at_once_and_as_many_as_it_allows(project: Project, client: Client) -> None:
    for id in client.calls("three", [[]] * 40):
        client.wait(id)
    spans = [(int(began), int(ended)) for began, ended in map(str.split, project.noted("spans"))]

    assert len(spans) == 40
    assert highest_overlap(spans) == 3


def test_at_one_place_the_order_of_calls_holds_and_a_retry_blocks_nobody(project: Project, client: Client) -> None:
    for id in client.calls("one", [[number] for number in range(8)]):
        client.wait(id)
    order = list(map(int, project.noted("order")))

    assert order[:8] == [0, 1, 2, 3, 4, 5, 6, 7]
    assert order[8:] == [3]


def test_at_the_limit_what_never_started_is_cancelled_when_asked_so(project: Project, client: Client) -> None:
    first = client.call("busy", 1)
    project.until_noted("busy")
    others = [client.call("busy", number) for number in range(2, 7)]
    ends = [client.wait(id) for id in others]
    project.note("busy-go")

    assert ends == ["cancelled"] * 5
    assert client.wait(first) == "succeed"
    assert project.noted("busy") == ["1"]


def test_at_the_limit_what_waits_is_kept_and_holds_up_no_other_function(project: Project, client: Client) -> None:
    ids = client.calls("patient", [[number] for number in range(3)])
    project.until_noted("patient")
    free = client.wait(client.call("free"))
    waiting = project.counts()["patient", State.CREATED]
    project.note("patient-go")

    assert (free, waiting) == ("succeed", 2)
    assert [client.wait(id) for id in ids] == ["succeed"] * 3
