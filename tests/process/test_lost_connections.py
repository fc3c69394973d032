"""A change whose request or answer was lost is made once, and its caller is told the truth about it."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from defer_cli import (
    Execution,
    ExecutionNotCancellable,
    Filters,
    NoRunner,
    Page,
    State,
    Unconfirmed,
    cancel_execution,
    get_execution,
    get_execution_result,
    list_executions,
    rerun_execution,
    reschedule_execution,
)
from defer_cli.client import process
from defer_cli.client.lanes import forget_lanes
from defer_cli.client.sender import Sender
from defer_cli.domain.enqueue import Enqueue
from defer_cli.domain.ids import random_id
from defer_cli.link.frames import Answer, Ask
from defer_cli.link.inbox import write_entry
from defer_cli.link.project import DataFolder
from defer_cli.link.sockets import is_answered
from tests.process.harness import Client, Project, Runner, until
from tests.process.proxy import Proxy

pytestmark = pytest.mark.process

LATER = datetime(2033, 5, 18, tzinfo=UTC)
LATER_US = int(LATER.timestamp() * 1_000_000)
FUNCTIONS = {
    "echo": """
        @defer
        async def echo(value=None):
            return value
        """,
    "hold": """
        @defer(retry=False)
        async def hold(name):
            note(name)
            await until_noted(f"{name}-go")
        """,
}
LOSSES = [Ask, Answer]


@pytest.fixture(scope="module")
def steady(make_project: Callable[[], Project]) -> Project:
    project = make_project()
    project.write(**FUNCTIONS)
    return project


@pytest.fixture(scope="module")
def runner(steady: Project) -> Iterator[Runner]:
    with steady.run("--workers", "1") as runner:
        yield runner


@pytest.fixture
def client(runner: Runner) -> Iterator[Client]:
    with runner.client() as client:
        yield client


@pytest.fixture
def own_sender(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("defer_cli.client.lanes.definitions", lambda: ())
    monkeypatch.setattr(process, "_sender", Sender())
    forget_lanes()
    yield
    forget_lanes()


@pytest.fixture
def proxy(steady: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_sender: None) -> Iterator[Proxy]:
    """Let what is asked in this process pass through a proxy."""
    with Proxy(tmp_path / "proxy", steady.data / "runner.sock") as proxy:
        monkeypatch.setenv("DEFER_DATA", proxy.folder.path)
        yield proxy


def running(project: Project, client: Client) -> tuple[str, Callable[[], None]]:
    """Return an execution that runs until it is let go."""
    name = random_id()
    id = client.call("hold", name)
    project.until_noted(name)
    return id, lambda: project.note(f"{name}-go")


def waiting(client: Client) -> str:
    return client.call("echo", 7, scheduled_us=LATER_US)


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("lost", LOSSES)
async def test_what_waits_is_cancelled(client: Client, proxy: Proxy, lost: type, force: bool) -> None:
    id = waiting(client)
    proxy.lose(lost)
    told = await cancel_execution(id, force=force)

    assert (told.state, proxy.lost) == (State.CANCELLED, 1)
    assert await get_execution(id) == told


@pytest.mark.parametrize("lost", LOSSES)
async def test_what_runs_is_aborted(steady: Project, client: Client, proxy: Proxy, lost: type) -> None:
    id, _ = running(steady, client)
    proxy.lose(lost)
    told = await cancel_execution(id, force=True)

    assert told.state in (State.ABORTING, State.ABORTED)
    assert client.wait(id) == "aborted"
    assert proxy.lost == 1


@pytest.mark.parametrize("lost", LOSSES)
async def test_what_runs_is_not_cancelled_without_force(
    steady: Project, client: Client, proxy: Proxy, lost: type
) -> None:
    id, let_go = running(steady, client)
    proxy.lose(lost)

    with pytest.raises(ExecutionNotCancellable, match="in started state"):
        await cancel_execution(id)
    let_go()
    assert client.wait(id) == "succeed"


@pytest.mark.parametrize("lost", LOSSES)
async def test_another_ones_abort_is_not_taken_for_a_cancel(
    steady: Project, client: Client, proxy: Proxy, lost: type
) -> None:
    id, _ = running(steady, client)
    proxy.lose(lost, meanwhile=lambda: client.ask("cancel", ids=[id], is_forced=True))

    with pytest.raises(ExecutionNotCancellable, match="in (aborting|aborted) state"):
        await cancel_execution(id)


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("lost", LOSSES)
async def test_what_has_ended_is_not_cancelled(client: Client, proxy: Proxy, lost: type, force: bool) -> None:
    id = client.run("echo")
    proxy.lose(lost)

    with pytest.raises(ExecutionNotCancellable, match="in succeed state"):
        await cancel_execution(id, force=force)


@pytest.mark.parametrize("lost", LOSSES)
async def test_what_waits_is_rescheduled(client: Client, proxy: Proxy, lost: type) -> None:
    id = waiting(client)
    proxy.lose(lost)
    told = await reschedule_execution(id, LATER + timedelta(hours=1))

    assert (told.scheduled_at, proxy.lost) == (LATER + timedelta(hours=1), 1)
    assert await get_execution(id) == told


async def test_what_started_before_the_lost_answer_came_again_leaves_it_unknown(
    steady: Project, client: Client, proxy: Proxy
) -> None:
    name = random_id()
    id = client.call("hold", name, scheduled_us=LATER_US)
    proxy.lose(Answer, meanwhile=lambda: steady.until_noted(name))

    with pytest.raises(Unconfirmed, match="unknown whether it was rescheduled; it is in started state"):
        await reschedule_execution(id)
    steady.note(f"{name}-go")
    assert client.wait(id) == "succeed"


@pytest.mark.parametrize("lost", LOSSES)
async def test_an_execution_is_run_once_more_and_only_once(client: Client, proxy: Proxy, lost: type) -> None:
    id = client.run("echo", 7)
    proxy.lose(lost)
    told = await rerun_execution(id)
    client.wait(told.id)

    assert [one.id for one in await list_executions() if one.rerun_of == id] == [told.id]
    assert await get_execution_result(told.id) == 7


@pytest.mark.parametrize("lost", LOSSES)
async def test_a_question_is_answered(client: Client, proxy: Proxy, lost: type) -> None:
    id = client.run("echo", 7)
    proxy.lose(lost)

    assert await get_execution_result(id) == 7
    assert proxy.lost == 1


# A runner that is killed.


def put_off(id: str) -> Coroutine[Any, Any, Execution]:
    return reschedule_execution(id, LATER + timedelta(hours=1))


CHANGES: dict[str, Callable[[str], Coroutine[Any, Any, Execution]]] = {
    "cancel": cancel_execution,
    "reschedule": put_off,
    "rerun": rerun_execution,
}


async def is_true(change: str, id: str, told: Execution, reruns: Mapping[str, list[str]]) -> bool:
    """Hold what was told of a change against what is stored."""
    stored = await get_execution(id)
    if change == "cancel":
        return told == stored and stored.state is State.CANCELLED
    if change == "reschedule":
        return told == stored and stored.scheduled_at == LATER + timedelta(hours=1)
    return reruns[id] == [told.id]


async def stored_reruns() -> Mapping[str, list[str]]:
    """Return the ids of all reruns by what was run once more."""
    by_first: dict[str, list[str]] = {}
    for one in await list_executions(Page(first=500), Filters(came_from=["rerun"])):
        by_first.setdefault(str(one.rerun_of), []).append(one.id)
    return by_first


@pytest.mark.usefixtures("own_sender")
@pytest.mark.parametrize("lost", LOSSES)
@pytest.mark.parametrize("change", CHANGES)
async def test_a_runner_killed_before_it_reads_a_change_or_before_it_answers_is_asked_again(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str, lost: type
) -> None:
    project.write(**FUNCTIONS)
    with project.run("--workers", "1") as first, Proxy(tmp_path / "proxy", project.data / "runner.sock") as proxy:
        monkeypatch.setenv("DEFER_DATA", proxy.folder.path)
        with first.client() as client:
            id = waiting(client)
        proxy.lose(lost, meanwhile=first.kill)
        changing = asyncio.create_task(CHANGES[change](id))
        await asyncio.to_thread(until, lambda: proxy.lost, "the change was lost")
        with project.run("--workers", "1"):
            assert await is_true(change, id, await changing, await stored_reruns())


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.usefixtures("own_sender")
async def test_every_change_is_told_truly_while_runners_are_killed(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed at random moments, with changes on their way the whole time."""
    project.write(**FUNCTIONS)
    monkeypatch.setenv("DEFER_DATA", str(project.data))
    dice = random.Random(3)
    told: list[tuple[str, str, Execution]] = []
    is_over = threading.Event()
    socket = str(project.data / "runner.sock")

    async def change(work: list[tuple[str, str]]) -> None:
        for name, id in work:
            while True:
                try:
                    told.append((name, id, await CHANGES[name](id)))
                    break
                except NoRunner:  # it began between two lives: nothing was sent
                    await asyncio.to_thread(until, lambda: is_answered(socket), "a runner lives")

    def kill_and_start(runner: Runner) -> int:
        lives = 1
        while not is_over.is_set():
            goal = len(told) + dice.randrange(1, 200)
            until(partial(lambda goal: len(told) >= goal or is_over.is_set(), goal), "changes are made")
            runner.kill()
            runner = project.start("--workers", "1")
            lives += 1
        runner.until_line("runner ready")
        return lives

    with project.run("--workers", "1") as first:
        with first.client() as client:
            ids = client.calls("echo", [[number] for number in range(600)], scheduled_us=LATER_US)
        work = [(dice.choice(list(CHANGES)), id) for id in ids]
        lives = asyncio.create_task(asyncio.to_thread(kill_and_start, first))
        await asyncio.gather(*[change(work[start::10]) for start in range(10)])
        is_over.set()
        assert await lives > 2

    reruns = await stored_reruns()
    assert [one for one in told if not await is_true(*one, reruns)] == []
    assert len(told) == len(work)


# What a runner that starts has not taken in yet.


@pytest.mark.parametrize("name", ["get", "wait", *CHANGES])
def test_what_waits_in_the_inbox_is_known(steady: Project, client: Client, name: str) -> None:
    folder = DataFolder(str(steady.data))
    refusals: list[Any] = []
    for _ in range(5):  # its own look, once a second, may come before one of them
        id = random_id()
        write_entry(folder, [Enqueue(id, "echo", b"[]", 1, scheduled_us=None if name == "wait" else LATER_US)])
        if name == "wait":
            assert client.wait(id) == "succeed"
        elif name == "get":
            assert client.ask("execution", id=id)["id"] == id
        else:
            (changed,) = client.ask(name, **({"pairs": [(id, random_id())]} if name == "rerun" else {"ids": [id]}))
            refusals.append(changed["refusal"])

    assert not any(refusals)
