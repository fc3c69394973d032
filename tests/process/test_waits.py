"""An execution that waits for another holds no slot, and a wait that could never end is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from defer_cli.domain.states import State
from tests.process.harness import Client, Project, Runner, until

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def project(make_project: Callable[[], Project]) -> Project:
    project = make_project()
    project.write(
        third="""
            from .broken import broken
            @defer(retry=False)
            async def third():
                await await_result(broken)()
        """,
        second="""
            from .third import third
            @defer(retry=False)
            async def second():
                await await_result(third)()
        """,
        blocking="""
            from .total import total
            @defer(retry=False)
            async def blocking():
                await_result(total)(0).wait()
        """,
        threaded="""
            from .total import total
            @defer
            async def threaded():
                return await asyncio.to_thread(await_result(total)(1).wait)
        """,
        total="""
            @defer
            async def total(depth):
                from .total import total
                if depth == 0:
                    return 1
                left, right = await_result(total)(depth - 1), await_result(total)(depth - 1)
                return await left + await right
        """,
        alone="""
            @defer(concurrency=1, retry=False)
            async def alone(depth):
                from .alone import alone
                return await await_result(alone)(depth - 1) if depth else 0
        """,
        outer="""
            @defer(concurrency=1, retry=False)
            async def outer():
                from .inner import inner
                return await await_result(inner)()
        """,
        inner="""
            @defer(retry=False)
            async def inner():
                from .outer import outer
                return await await_result(outer)()
        """,
        broken="""
            @defer(retry=False)
            async def broken():
                raise ValueError("no stock")
        """,
        ask="""
            from defer_cli import ExecutionFailed
            from .broken import broken
            @defer
            async def ask():
                try:
                    await await_result(broken)()
                except ExecutionFailed as error:
                    return [str(error), error.state, "no stock" in (error.remote_traceback or "")]
        """,
        slow="""
            @defer
            async def slow():
                await until_noted("slow-go")
                return "slow"
        """,
        hasty="""
            from .slow import slow
            @defer
            async def hasty():
                waiting = await_result(slow)()
                try:
                    async with asyncio.timeout(0.05):
                        await waiting
                except TimeoutError:
                    note("slow-go")
                return await waiting
        """,
    )
    return project


@pytest.fixture(scope="module")
def runner(project: Project) -> Iterator[Runner]:
    with project.run("--workers", "1", "--slots", "1") as runner:
        yield runner


@pytest.fixture
def client(runner: Runner) -> Iterator[Client]:
    with runner.client() as client:
        yield client


def test_parents_that_wait_never_hold_the_only_slot(project: Project, client: Client) -> None:
    id = client.run("total", 5)

    assert project.result(id) == 32


def test_a_wait_for_a_function_whose_only_place_one_holds_oneself_is_refused(project: Project, client: Client) -> None:
    id = client.run("alone", 1)
    error = project.error(id)

    assert error["type"].endswith("WaitRefused")
    assert "would never end" in error["message"]
    assert "raise its concurrency, or call alone() without waiting" in error["message"]


def test_a_wait_for_an_ancestor_that_holds_the_only_place_is_refused(project: Project, client: Client) -> None:
    id = client.run("outer")

    assert project.get(id).state is State.FAILED
    assert "outer() would never end" in project.error(id)["message"]


def test_two_chains_that_hold_each_others_places_do_not_stand_still(make_project: Callable[[], Project]) -> None:
    project = make_project()
    project.write(
        pair="""
            @defer(concurrency=2, retry=False)
            async def pair(depth):
                from .pair import pair
                if depth == 0:
                    return 0
                note("pair")
                while len(read("pair")) < 2:
                    await asyncio.sleep(0.005)
                return await await_result(pair)(0)
        """,
    )
    with project.run("--workers", "1") as runner, runner.client() as client:
        ids = [client.call("pair", 1) for _ in range(2)]
        ends = sorted(client.wait(id) for id in ids)

    assert ends == ["failed", "succeed"]


def test_a_thread_of_a_parent_may_wait_too(project: Project, client: Client) -> None:
    assert project.result(client.run("threaded")) == 2


def test_blocking_the_loop_of_a_worker_until_a_child_has_ended_is_refused(project: Project, client: Client) -> None:
    message = project.error(client.run("blocking"))["message"]

    assert "may have to run on the event loop that wait() blocks" in message
    assert "await it, or wait in a thread" in message


def test_a_child_that_failed_raises_what_it_failed_with(project: Project, client: Client) -> None:
    message, state, has_traceback = project.result(client.run("ask"))

    assert "no stock" in message
    assert (state, has_traceback) == ("failed", True)


def test_a_failure_three_levels_down_is_told_once_with_the_lines_of_each_level(
    project: Project, client: Client
) -> None:
    error = project.error(client.run("second"))
    third, broken = newest_of(project, "third"), newest_of(project, "broken")

    assert error["message"] == (
        f"third, id {third}, failed: src/defer/broken.py:8: broken, id {broken}, failed: ValueError: no stock; "
        f"see `defer show {broken}`"
    )
    assert error["location"] == "src/defer/second.py:9"
    lines = [line for line in error["traceback"].splitlines() if line.startswith(("  File", "What", "Value", "defer"))]
    assert [line.split('"')[-1] for line in lines if "File" in line] == [
        ", line 9, in second",
        ", line 9, in third",
        ", line 8, in broken",
    ]
    assert lines[-1] == "ValueError: no stock"


def newest_of(project: Project, function: str) -> str:
    """Return the id of the newest execution of a function."""
    with project.reader() as reader:
        return reader.last_executions()[function].id


def test_giving_up_a_wait_does_not_cancel_the_child(project: Project, client: Client) -> None:
    assert project.result(client.run("hasty")) == "slow"


def test_an_execution_whose_wait_was_cut_holds_its_slot_again(make_project: Callable[[], Project]) -> None:
    project = make_project()
    project.write(
        child="""
            @defer
            async def child():
                await until_noted("child-go")
                return "done"
        """,
        parent="""
            from .child import child
            @defer
            async def parent():
                waiting = await_result(child)()
                await until_noted("parent-go")
                try:
                    await asyncio.wait_for(waiting, 0.05)
                except TimeoutError:
                    note("cut")
                    await until_noted("other-is-called")
                    await asyncio.sleep(0.1)
                    note("log", "the parent waits again")
                return await waiting
        """,
        other="""
            @defer
            async def other():
                note("log", "the other runs")
        """,
    )
    with project.run("--workers", "1", "--slots", "2") as runner, runner.client() as client:
        parent = client.call("parent")
        until(lambda: project.in_state(State.STARTED) == 2, "the child runs")
        project.note("parent-go")
        project.until_noted("cut")
        other = client.call("other")
        project.note("other-is-called")
        project.until_noted("log")
        project.note("child-go")
        ends = [client.wait(id) for id in (parent, other)]

    assert (ends, project.result(parent)) == (["succeed", "succeed"], "done")
    assert project.noted("log") == ["the parent waits again", "the other runs"]


def test_the_slot_is_there_again_afterwards(project: Project, client: Client) -> None:
    ids = [client.call("total", 2) for _ in range(5)]

    assert [client.wait(id) for id in ids] == ["succeed"] * 5
