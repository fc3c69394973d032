"""What becomes of an execution: its result, its error, its attempts, its log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from defer_cli.domain.states import State
from tests.process.harness import FAST, Client, Project, Runner, until

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def project(make_project: Callable[[], Project]) -> Project:
    project = make_project()
    project.write(
        double="""
            @defer
            async def double(number):
                return number * 2
        """,
        fail=f"""
            @defer({FAST})
            async def fail():
                attempt = current_execution().attempt
                print("attempt", attempt)
                import json
                json.loads("{{")
        """,
        fail_once=f"""
            @defer({FAST})
            async def fail_once():
                if current_execution().attempt == 1:
                    raise ValueError("the first time")
                return "then"
        """,
        fail_at_once="""
            @defer(retry=False)
            async def fail_at_once():
                raise KeyError("gone")
        """,
        not_json="""
            @defer
            async def not_json():
                return object()
        """,
        too_large="""
            @defer
            async def too_large():
                return "x" * 1024 * 1024
        """,
        handle="""
            from .double import double
            @defer
            async def handle():
                return double(1)
        """,
        unasked_cancel="""
            @defer(retry=False)
            async def unasked_cancel():
                raise asyncio.CancelledError
        """,
        odd="""
            class Odd(Exception):
                def __str__(self):
                    raise RuntimeError
            @defer(retry=False)
            async def odd():
                raise Odd
        """,
        huge="""
            @defer(retry=False)
            async def huge():
                raise ValueError("x" * 10_000_000)
        """,
        speak="""
            import logging, subprocess
            @defer
            async def speak(name):
                for number in range(3):
                    print(f"{name} {number}")
                    await asyncio.sleep(0)
                print(f"{name} err", file=sys.stderr)
                logging.getLogger("shop").info("%s logged", name)
                await asyncio.to_thread(print, f"{name} thread")
                thread = threading.Thread(target=print, args=(f"{name} bare thread",))
                thread.start()
                thread.join()
                subprocess.run(["echo", f"{name} subprocess"])
        """,
        flood="""
            @defer
            async def flood():
                for number in range(30_000):
                    print(number)
        """,
        linger="""
            @defer
            async def linger():
                asyncio.create_task(asyncio.sleep(60), name="poller")
        """,
        describe="""
            @defer(max_duration="1h")
            async def describe():
                here = current_execution()
                left = (here.deadline.timestamp() - time.time()) / 60
                return [here.id, here.function, here.attempt, dict(here.metadata), 58 < left <= 60]
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


def test_what_a_function_returns_is_its_result(project: Project, client: Client) -> None:
    id = client.run("double", 21)
    execution = project.get(id)

    assert project.result(id) == 42
    assert (execution.state, execution.attempt, execution.charged) == (State.SUCCEED, 1, 0)


def test_a_failure_is_tried_again_until_no_retry_is_left(project: Project, client: Client) -> None:
    id = client.run("fail")
    execution = project.get(id)

    assert (execution.state, execution.error_code) == (State.FAILED, "ER0003")
    assert (execution.attempt, execution.charged) == (3, 2)
    assert project.outcomes(id) == ["retry", "retry", "fail"]


def test_retries_wait_by_their_policy(project: Project, client: Client) -> None:
    first, second, third = project.attempts(client.run("fail"))
    assert first.finished_at is not None
    assert second.finished_at is not None

    assert second.started_at - first.finished_at >= timedelta(milliseconds=50)
    assert third.started_at - second.finished_at >= timedelta(milliseconds=75)


def test_an_error_keeps_type_message_and_the_users_frames_first(project: Project, client: Client) -> None:
    error = project.error(client.run("fail"))
    own, _, whole = error["traceback"].partition("The whole traceback:")

    assert (error["type"], error["code"]) == ("json.decoder.JSONDecodeError", "ER0003")
    assert error["message"].startswith("Expecting property name")
    assert error["location"].startswith("src/defer/fail.py:")
    assert ("fail.py" in own, "decoder.py" in own, "decoder.py" in whole) == (True, False, True)


def test_each_attempt_keeps_its_error_and_its_log(project: Project, client: Client) -> None:
    id = client.run("fail")
    until(lambda: project.lines(id, attempt=3), "the last line of the log, which comes after the outcome")

    assert [attempt.error is not None for attempt in project.attempts(id)] == [True] * 3
    assert [project.lines(id, attempt=number) for number in (1, 2, 3)] == [
        ["attempt 1"],
        ["attempt 2"],
        ["attempt 3"],
    ]


def test_a_retry_that_succeeds_ends_well(project: Project, client: Client) -> None:
    id = client.run("fail_once")

    assert (project.result(id), project.outcomes(id)) == ("then", ["retry", "succeed"])
    assert project.get(id).error_code is None


def test_retry_false_fails_at_once(project: Project, client: Client) -> None:
    id = client.run("fail_at_once")

    assert (project.outcomes(id), project.error(id)["message"]) == (["fail"], "'gone'")


@pytest.mark.parametrize(
    ("function", "words"),
    [("not_json", "object is not JSON"), ("too_large", "the limit is"), ("handle", "return compute(x).id")],
)
def test_a_result_that_is_not_json_is_not_tried_again(
    project: Project, client: Client, function: str, words: str
) -> None:
    id = client.run(function)

    assert project.outcomes(id) == ["fail"]
    assert project.get(id).error_code == "ER0003"
    assert words in project.error(id)["message"]


def test_arguments_that_no_longer_fit_are_not_tried_again(project: Project, client: Client) -> None:
    id = client.run("double", 1, 2)

    assert project.outcomes(id) == ["fail"]
    assert "the arguments no longer fit" in project.error(id)["message"]


def test_a_cancellation_nobody_asked_for_is_a_failure(project: Project, client: Client) -> None:
    id = client.run("unasked_cancel")

    assert (project.outcomes(id), project.get(id).error_code) == (["fail"], "ER0003")


def test_an_exception_whose_str_raises_is_kept(project: Project, client: Client) -> None:
    assert project.error(client.run("odd"))["message"] == "<its str() raised RuntimeError>"


def test_a_message_of_ten_megabytes_is_cut(project: Project, client: Client) -> None:
    assert len(project.error(client.run("huge"))["message"]) < 70_000


def test_what_is_printed_belongs_to_its_execution(project: Project, runner: Runner, client: Client) -> None:
    ids = [client.call("speak", f"n{number}") for number in range(20)]
    for id in ids:
        client.wait(id)
    client.run("double", 1)  # its commit comes after the logs of those before it

    for number, id in enumerate(ids):
        spoken = [f"n{number} {text}" for text in ("0", "1", "2", "err", "logged", "thread")]
        spoken[4] = f"INFO shop: {spoken[4]}"
        assert project.lines(id) == spoken


def test_output_without_a_context_goes_to_the_workers_log(runner: Runner, client: Client) -> None:
    client.run("speak", "mine")

    runner.until_line("mine bare thread")
    runner.until_line("mine subprocess")


def test_a_flood_is_cut_and_counted(project: Project, client: Client) -> None:
    id = client.run("flood")
    client.run("double", 1)
    lines = project.lines(id)

    assert lines[:2] == ["0", "1"]
    assert lines[-1] == "20,000 lines dropped"


def test_a_task_left_over_is_named_in_the_log(project: Project, client: Client) -> None:
    id = client.run("linger")
    client.run("double", 1)

    assert project.lines(id) == ["defer: task 'poller' was still running and is cancelled"]


def test_a_function_knows_its_own_execution(project: Project, client: Client) -> None:
    id = client.run("describe", metadata={"k": "v"})

    assert project.result(id) == [id, "describe", 1, {"k": "v"}, True]
