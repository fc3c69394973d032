"""Executions are asked for and changed from wherever a program happens to be: threads, forks, functions, its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.process.harness import Client, Project, Runner

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def project(make_project: Callable[[], Project]) -> Project:
    project = make_project()
    project.write(
        echo="""
            @defer
            async def echo(value=None):
                return value
        """,
        asks_in_a_thread="""
            from defer_cli import get_execution, cancel_execution
            from .echo import echo
            @defer(retry=False)
            async def asks_in_a_thread():
                id = assign_options(echo, delay="1h")(1).id
                found = await asyncio.to_thread(lambda: asyncio.run(get_execution(id)))
                changed = await asyncio.to_thread(lambda: asyncio.run(cancel_execution(id)))
                return [found.state, changed.state, found.parent == current_execution().id]
        """,
        asks_in_a_fork="""
            from defer_cli import get_execution
            @defer(retry=False)
            async def asks_in_a_fork(id):
                reading, writing = os.pipe()
                child = os.fork()
                if child == 0:
                    told = "nothing"
                    try:
                        asyncio.events._set_running_loop(None)
                        told = asyncio.run(get_execution(id)).id
                    except BaseException as error:
                        told = repr(error)
                    finally:
                        os.write(writing, told.encode())
                        os._exit(0)
                os.close(writing)
                with open(reading) as answer:
                    told = await asyncio.to_thread(answer.read)
                os.waitpid(child, 0)
                return told
        """,
        asks_about_itself="""
            from defer_cli import cancel_execution, get_execution, get_execution_result, list_execution_attempts
            from defer_cli import ExecutionNotCancellable, ExecutionResultNotAvailableYet
            @defer(retry=False)
            async def asks_about_itself():
                own = current_execution()
                told = [(await get_execution(own.id)).state]
                told += [one.id == f"{own.id}.{own.attempt}" for one in await list_execution_attempts(own.id)]
                for refused in (get_execution_result(own.id), cancel_execution(own.id)):
                    try:
                        await refused
                    except (ExecutionNotCancellable, ExecutionResultNotAvailableYet) as error:
                        told.append(error.state)
                return told
        """,
        aborts_itself="""
            from defer_cli import cancel_execution
            @defer(retry=False)
            async def aborts_itself():
                await cancel_execution(current_execution().id, force=True)
                await asyncio.sleep(60)
        """,
    )
    return project


@pytest.fixture(scope="module")
def runner(project: Project) -> Iterator[Runner]:
    with project.run("--workers", "1") as runner:
        yield runner


@pytest.fixture
def client(runner: Runner) -> Iterator[Client]:
    with runner.client() as client:
        yield client


def test_a_function_asks_from_a_thread(project: Project, client: Client) -> None:
    assert project.result(client.run("asks_in_a_thread")) == ["created", "cancelled", True]


def test_a_process_forked_from_a_worker_asks_by_the_socket(project: Project, client: Client) -> None:
    id = client.run("echo")

    assert project.result(client.run("asks_in_a_fork", id)) == id


def test_a_function_asks_about_itself(project: Project, client: Client) -> None:
    assert project.result(client.run("asks_about_itself")) == ["started", True, "started", "started"]


def test_a_function_aborts_itself(project: Project, client: Client) -> None:
    id = client.call("aborts_itself")

    assert client.wait(id) == "aborted"


def test_a_program_asks_from_one_loop_after_another_and_from_threads_without_one(
    project: Project, runner: Runner
) -> None:
    said = project.app(
        """
        import threading, uvloop
        from concurrent.futures import ThreadPoolExecutor
        from defer.echo import echo
        later = assign_options(echo, delay="1h")
        id = later(1).id
        ask = lambda _: asyncio.run(get_execution(id)).id
        assert {ask(0) for _ in range(3)} == {id}
        with ThreadPoolExecutor(16) as threads:
            assert set(threads.map(ask, range(200))) == {id}
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
            assert loop.run(get_execution(id)).id == id
        print(asyncio.run(cancel_execution(id)).state)
        """
    )

    assert (said.stdout, said.stderr) == ("cancelled\n", "")


def test_a_forked_child_and_its_parent_both_go_on_asking(project: Project, runner: Runner) -> None:
    """As under a server that forks its workers after it has loaded the program."""
    said = project.app(
        """
        import os
        from defer.echo import echo
        id = assign_options(echo, delay="1h")(1).id
        child = os.fork()
        found = asyncio.run(get_execution(id)).state
        if child:
            os.waitpid(child, 0)
            found = asyncio.run(get_execution(id)).state
        os.write(1, f"{found} ".encode())
        """
    )

    assert (said.stdout, said.stderr) == ("created created ", "")


def test_what_is_asked_while_the_interpreter_closes_was_not_sent(project: Project, runner: Runner) -> None:
    said = project.app(
        """
        import atexit
        from defer.echo import echo
        def at_the_end():
            try:
                asyncio.run(cancel_execution(id))
            except NoRunner as error:
                print(error)
        atexit.register(at_the_end)
        id = assign_options(echo, delay="1h")(1).id
        atexit.register(lambda: print(asyncio.run(get_execution(id)).state))
        """
    )

    assert said.stdout == "created\nthe interpreter closes: nothing is asked of a runner any more\n"
    assert said.stderr == ""
