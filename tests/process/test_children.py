"""Calls made inside a function are durable: a parent that runs again finds the children of its earlier run."""

from __future__ import annotations

from collections import Counter

import pytest

from defer_cli.domain.states import State
from tests.process.harness import FAST, Project

pytestmark = pytest.mark.process

MAIL = """
    @defer
    async def mail(user):
        note("mailed", user)
"""
FAN_OUT = """
    from .mail import mail
    @defer
    async def fan_out(kill):
        for user in range(300):
            call = mail(user)
            if user == 150 and current_execution().attempt == 1:
                await call
                os.kill(os.getpid() if kill == "worker" else os.getppid(), signal.SIGKILL)
                await asyncio.sleep(60)
"""
STEP = """
    @defer
    async def step(number):
        note("steps", number)
        return number * 10
"""
WORKFLOW = """
    from .step import step
    @defer
    async def workflow():
        a = await await_result(step)(1)
        b = await await_result(step)(2)
        if current_execution().attempt == 1:
            os._exit(1)
        c = await await_result(step)(3)
        return [a, b, c]
"""


def test_a_fan_out_whose_worker_is_killed_half_way_calls_each_child_once(project: Project) -> None:
    project.write(mail=MAIL, fan_out=FAN_OUT)
    with project.run("--workers", "2") as runner, runner.client() as client:
        id = client.run("fan_out", "worker")
    project.burst("--workers", "2")

    assert project.outcomes(id) == ["interrupt", "succeed"]
    assert project.counts()["mail", State.SUCCEED] == 300
    assert len(project.children(id)) == 300
    assert set(map(int, project.noted("mailed"))) == set(range(300))


def test_a_fan_out_whose_runner_is_killed_half_way_calls_each_child_once(project: Project) -> None:
    project.write(mail=MAIL, fan_out=FAN_OUT)
    with project.run("--workers", "2") as runner, runner.client() as client:
        id = client.call("fan_out", "runner")
        runner.wait()
    before = len(project.children(id))
    project.burst("--workers", "2")

    assert before >= 151
    assert project.outcomes(id) == ["loss", "succeed"]
    assert project.counts()["mail", State.SUCCEED] == 300


def test_a_workflow_killed_after_its_second_step_goes_on_with_the_third(project: Project) -> None:
    project.write(step=STEP, workflow=WORKFLOW)
    with project.run("--workers", "2") as runner, runner.client() as client:
        id = client.run("workflow")

    assert project.result(id) == [10, 20, 30]
    assert project.noted("steps") == ["1", "2", "3"]


def test_after_its_parent_failed_a_failed_child_is_made_anew_and_the_others_are_not(project: Project) -> None:
    project.write(
        good="""
            @defer
            async def good(number):
                note("good", number)
        """,
        flaky="""
            @defer(retry=False)
            async def flaky():
                note("flaky")
                if len(read("flaky")) < 3:
                    raise ValueError("not yet")
                return "at last"
        """,
        parent=f"""
            from .flaky import flaky
            from .good import good
            @defer({FAST})
            async def parent():
                await await_result(good)(1)
                await await_result(good)(1)
                return await await_result(flaky)()
        """,
    )
    with project.run("--workers", "2") as runner, runner.client() as client:
        id = client.run("parent")
    children = Counter((child.function, str(child.state)) for child in project.children(id))

    assert (project.result(id), project.outcomes(id)) == ("at last", ["retry", "retry", "succeed"])
    assert children == {("good", "succeed"): 2, ("flaky", "failed"): 2, ("flaky", "succeed"): 1}
    assert project.noted("good") == ["1", "1"]


def test_after_an_interrupt_a_failed_child_is_found_as_it_is(project: Project) -> None:
    project.write(
        broken="""
            @defer(retry=False)
            async def broken():
                raise ValueError("always")
        """,
        parent="""
            from defer_cli import ExecutionFailed
            from .broken import broken
            @defer
            async def parent():
                try:
                    await await_result(broken)()
                except ExecutionFailed as error:
                    if current_execution().attempt == 1:
                        os._exit(1)
                    return str(error)
        """,
    )
    with project.run("--workers", "2") as runner, runner.client() as client:
        id = client.run("parent")

    assert project.outcomes(id) == ["interrupt", "succeed"]
    assert "always" in project.result(id)
    assert [child.state for child in project.children(id)] == [State.FAILED]


def test_ten_thousand_equal_calls_from_threads_and_tasks_are_ten_thousand_children(project: Project) -> None:
    project.write(
        later="""
            @defer
            async def later(): ...
        """,
        crowd="""
            from .later import later as now
            later = assign_options(now, delay="1h")
            def from_a_thread():
                for _ in range(1_000):
                    later()
            async def from_a_task():
                await later()
            @defer
            async def crowd():
                await asyncio.gather(
                    *(asyncio.to_thread(from_a_thread) for _ in range(5)), *(from_a_task() for _ in range(5_000))
                )
        """,
    )
    with project.run("--workers", "1") as runner, runner.client() as client:
        id = client.run("crowd")
    with project.reader() as reader:
        children = reader.count_children(id)

    assert project.get(id).state is State.SUCCEED
    assert children == {State.CREATED: 10_000}


def test_a_refused_call_nobody_heard_fails_its_parent(project: Project) -> None:
    project.write(
        step=STEP,
        parent="""
            from .step import step
            @defer(retry=False)
            async def parent(is_heard):
                keyed = assign_options(step, key="one")
                await keyed(1)
                call = keyed(2)
                if is_heard:
                    try:
                        await call
                    except Exception as error:
                        return type(error).__name__
        """,
    )
    with project.run("--workers", "1") as runner, runner.client() as client:
        unheard, heard = client.run("parent", False), client.run("parent", True)  # as they are sent

    assert project.get(unheard).state is State.FAILED
    assert "CallRefused" in project.error(unheard)["type"]
    assert project.result(heard) == "CallRefused"


def test_calls_are_on_disk_before_their_parent_is_recorded_done(project: Project) -> None:
    project.write(
        mail=MAIL.replace("@defer", "@defer(concurrency=1)"),
        parent="""
            from .mail import mail
            @defer
            async def parent():
                for user in range(2_000):
                    mail(user)
        """,
    )
    with project.run("--workers", "1") as runner, runner.client() as client:
        id = client.run("parent")
        runner.kill()
    with project.reader() as reader:
        children = reader.count_children(id)

    assert sum(children.values()) == 2_000
