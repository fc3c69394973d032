"""Trees of executions that wait for each other: no standstill, no function over its limit, no worker over its slots.

``DEFER_TEST_PARENTS`` sets how many parents there are, 500 for the full size.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable

import pytest

from defer_cli.domain.states import State
from tests.process.harness import Project, until

pytestmark = pytest.mark.process

PARENTS = int(os.environ.get("DEFER_TEST_PARENTS", "30"))
CHILDREN = 3
SECONDS = 60 + PARENTS


def level(name: str, child: str | None, options: str = "") -> str:
    """Return a function that notes when it runs, when it waits for three children, and what they come to."""
    head = f"from .{child} import {child}" if child else ""
    work = (
        f"""
    calls = [await_result({child})(number * {CHILDREN} + n) for n in range({CHILDREN})]
    say("waits")
    counts = await asyncio.gather(*calls)
    say("goes")
    return 1 + sum(counts)"""
        if child
        else """
    await asyncio.sleep(0.001)
    return 1"""
    )
    return f"""
import os
from notes import note
{head}
def say(what):
    note("log", f"{{os.getpid()}} {name} {{what}}")
@defer({options})
async def {name}(number):
    say("begins")
    try:
        return await work(number)
    finally:
        say("ends")
async def work(number):{work}
"""


class Overlaps:
    """The most of a function at once, and the most in a worker at once that did not wait."""

    def __init__(self, lines: list[str]) -> None:
        self.of_functions: Counter[str] = Counter()
        self.of_workers: Counter[str] = Counter()
        functions: Counter[str] = Counter()
        workers: Counter[str] = Counter()
        for line in lines:
            pid, function, what = line.split()
            workers[pid] += {"begins": 1, "goes": 1, "waits": -1, "ends": -1}[what]
            functions[function] += {"begins": 1, "ends": -1}.get(what, 0)
            self.of_workers[pid] = max(self.of_workers[pid], workers[pid])
            self.of_functions[function] = max(self.of_functions[function], functions[function])
        assert not any(functions.values())


@pytest.fixture(scope="module")
def run_tree(make_project: Callable[[], Project]) -> Callable[..., tuple[Project, Overlaps]]:
    def run(options: str, *, slots: int) -> tuple[Project, Overlaps]:
        project = make_project()
        project.write(
            parent=level("parent", "child", options),
            child=level("child", "grandchild", options),
            grandchild=level("grandchild", None, options),
        )
        with project.run("--workers", "2", "--slots", str(slots)) as runner, runner.client() as client:
            ids = client.calls("parent", [[number] for number in range(PARENTS)])
            until(lambda: project.in_state(State.SUCCEED, State.FAILED) >= PARENTS * 13, "all ended", seconds=SECONDS)
        assert {project.result(id) for id in ids} == {13}
        return project, Overlaps(project.noted("log"))

    return run


def test_trees_three_levels_deep_end_within_their_limits(run_tree: Callable[..., tuple[Project, Overlaps]]) -> None:
    project, overlaps = run_tree("concurrency=5", slots=10)
    print(
        f"{PARENTS} parents: at most {dict(overlaps.of_functions)} at once, {overlaps.of_workers.values()} in a worker"
    )

    assert project.counts() == {
        ("parent", State.SUCCEED): PARENTS,
        ("child", State.SUCCEED): PARENTS * CHILDREN,
        ("grandchild", State.SUCCEED): PARENTS * CHILDREN**2,
    }
    assert overlaps.of_functions["parent"] == 5
    assert max(overlaps.of_functions.values()) == 5
    assert max(overlaps.of_workers.values()) <= 10


def test_workers_keep_to_their_slots_while_waits_end(run_tree: Callable[..., tuple[Project, Overlaps]]) -> None:
    _, overlaps = run_tree("", slots=2)
    print(
        f"{PARENTS} parents: at most {dict(overlaps.of_functions)} at once, {overlaps.of_workers.values()} in a worker"
    )

    assert max(overlaps.of_workers.values()) == 2


def test_a_function_that_waits_for_itself_ends_with_refusals_and_never_stands_still(
    make_project: Callable[[], Project],
) -> None:
    project = make_project()
    project.write(
        tree="""
            @defer(concurrency=5, retry=False)
            async def tree(number, depth):
                from .tree import tree
                if depth == 0:
                    return 1
                calls = [await_result(tree)(number * 3 + n, depth - 1) for n in range(3)]
                return 1 + sum(await asyncio.gather(*calls))
        """,
    )
    with project.run("--workers", "2", "--slots", "10") as runner, runner.client() as client:
        ids = client.calls("tree", [[number, 2] for number in range(PARENTS)])
        until(lambda: project.in_state(State.CREATED, State.STARTED) == 0, "all ended", seconds=SECONDS)
    with project.reader() as reader:
        ended = [reader.get(id) for id in ids]
    refused = [one.id for one in ended if one is not None and one.state is State.FAILED]
    errors = Counter(project.error(id)["type"] for id in refused)

    assert refused, "the first five hold all places"
    assert set(errors) <= {"defer_cli.domain.errors.WaitRefused", "defer_cli.domain.errors.ExecutionFailed"}
