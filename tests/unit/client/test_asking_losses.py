"""Questions and changes on the way: lost connections, deadlines, and their place behind calls."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from defer_cli.client.asking import (
    cancel_execution,
    get_execution,
    get_execution_result,
    list_execution_attempts,
    list_executions,
    rerun_execution,
    reschedule_execution,
)
from defer_cli.client.lanes import defer_enabled
from defer_cli.domain.errors import ExecutionNotFound, NoRunner, SettingError, Unconfirmed
from defer_cli.link.frames import Answer, Ask, Enqueues, Failure
from defer_cli.link.inbox import list_entries
from defer_cli.link.project import DataFolder, point_to
from defer_cli.link.sockets import connect
from tests.unit.client.answers import asked, tell
from tests.unit.client.calling import call
from tests.unit.client.conftest import Function
from tests.unit.client.fake_runner import DEADLINE_SECONDS, FakeRunner

ID = "01m8argyvwe8ht55xgrrcypejy"
Asking = Callable[[str], Awaitable[Any]]
CHANGES: list[Asking] = [cancel_execution, reschedule_execution, rerun_execution]
QUESTIONS: list[Asking] = [get_execution, get_execution_result, list_execution_attempts, lambda _: list_executions()]


@pytest.fixture
def limit(monkeypatch: pytest.MonkeyPatch) -> float:
    """Make every deadline a short one."""
    for module in ("asking", "shipments"):
        monkeypatch.setattr(f"defer_cli.client.{module}.LONGEST_WAIT_SECONDS", 0.2)
    return 0.2


@pytest.mark.parametrize("ask", [*CHANGES, *QUESTIONS])
async def test_without_a_runner_it_is_said_at_once_where_one_was_looked_for(
    folder: DataFolder, compute: Function, ask: Asking
) -> None:
    with pytest.raises(NoRunner, match=f"{folder.path}: no runner is alive to .*; start `defer run`"):
        await ask(ID)


@pytest.mark.parametrize("ask", [*CHANGES, *QUESTIONS])
async def test_what_a_lost_connection_left_unanswered_is_asked_again(runner: FakeRunner, ask: Asking) -> None:
    def lose_once(frame: Any) -> None:
        runner.answer = tell
        runner.hang_up()

    runner.answer = lose_once
    await ask(ID)

    first, again = [frame.parameters for frame in asked(runner)]
    assert first.pop("is_again", False) is False
    assert again.pop("is_again", True) is True
    assert first == again  # the new id of a rerun, the moment of a reschedule


async def test_what_never_left_is_not_asked_again_but_for_the_first_time(
    runner: FakeRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would take another's cancel for its own."""
    failures = [TimeoutError("not now"), TimeoutError("not now")]

    def connect_or_fail(path: str, **given: Any) -> Any:
        if failures:
            raise failures.pop()
        return connect(path, **given)

    monkeypatch.setattr("defer_cli.client.connection.connect", connect_or_fail)
    runner.answer = tell
    await cancel_execution(ID)

    assert [frame.parameters["is_again"] for frame in asked(runner)] == [False]


async def test_a_runner_that_started_again_elsewhere_is_found(folder: DataFolder, tmp_path: Path) -> None:
    elsewhere = DataFolder(str(tmp_path / "elsewhere"))
    with FakeRunner(elsewhere, tell) as second:

        def move(frame: Any) -> None:
            point_to(str(tmp_path), elsewhere)
            first.die()

        with FakeRunner(folder, move) as first:
            await cancel_execution(ID)

        assert [frame.parameters["is_again"] for frame in asked(second)] == [True]


async def test_a_runner_that_is_back_in_time_answers(folder: DataFolder, compute: Function) -> None:
    with FakeRunner(folder) as first:
        first.answer = lambda frame: first.die()
        waiting = asyncio.ensure_future(get_execution(ID))
        await asyncio.to_thread(first.until, lambda seen: bool(asked(seen)))
    with FakeRunner(folder, tell):
        assert (await waiting).id == ID


@pytest.mark.parametrize(
    ("change", "doubt"),
    [
        (cancel_execution, "was cancelled"),
        (reschedule_execution, "was rescheduled"),
        (rerun_execution, "was run once more, as [0-9a-z]{26}"),
    ],
)
@pytest.mark.parametrize("end", [lambda runner: None, FakeRunner.hang_up, FakeRunner.die])
async def test_a_change_without_an_answer_is_unknown(
    runner: FakeRunner, limit: float, change: Asking, doubt: str, end: Callable[[FakeRunner], None]
) -> None:
    runner.answer = lambda frame: end(runner)

    with pytest.raises(Unconfirmed, match=f"within 0.2 s: unknown whether execution {ID} {doubt}; ask for its state"):
        await change(ID)


@pytest.mark.parametrize("ask", QUESTIONS)
async def test_a_question_without_an_answer_leaves_nothing_unknown(
    runner: FakeRunner, limit: float, ask: Asking
) -> None:
    runner.answer = lambda frame: None

    with pytest.raises(Unconfirmed, match="no answer came within 0.2 s: cannot .*; see whether the runner is alive"):
        await ask(ID)


@pytest.mark.parametrize("ask", QUESTIONS)
async def test_a_question_whose_runner_does_not_come_back_says_so(
    runner: FakeRunner, limit: float, ask: Asking
) -> None:
    runner.answer = lambda frame: runner.die()

    with pytest.raises(NoRunner, match="the runner went away, and none came within 0.2 s to .*; start `defer run`"):
        await ask(ID)


@pytest.mark.parametrize("change", CHANGES)
async def test_a_change_that_never_left_was_not_made(
    runner: FakeRunner, limit: float, change: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: str, **given: Any) -> Any:
        raise TimeoutError("not now")

    monkeypatch.setattr("defer_cli.client.connection.connect", refuse)

    with pytest.raises(NoRunner, match="no runner took the request within 0.2 s to "):
        await change(ID)


async def test_a_question_behind_calls_that_get_no_answer_is_given_up_in_time(
    compute: Function, runner: FakeRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("defer_cli.client.asking.LONGEST_WAIT_SECONDS", 0.2)
    held = threading.Event()
    runner.answer = lambda frame: (held.wait(DEADLINE_SECONDS), tell(frame))[1]
    handles = [call(compute, number) for number in range(6_000)]

    with pytest.raises(NoRunner, match="no runner took the request"):
        await get_execution(ID)
    held.set()
    await asyncio.gather(*handles)
    assert not asked(runner)


async def test_an_answer_that_comes_too_late_goes_nowhere(runner: FakeRunner, limit: float) -> None:
    runner.answer = lambda frame: None
    with pytest.raises(Unconfirmed):
        await get_execution(ID)
    runner.answer = tell
    runner.reply(Answer(asked(runner)[0].number, "late"))

    assert (await get_execution(ID)).id == ID


# The order: what is asked about a call comes after the call.


class Memory:
    """A runner that knows what it was called for, and answers each batch of calls only when the test lets it."""

    def __init__(self) -> None:
        self.is_free = threading.Event()
        self.known: set[str] = set()

    def __call__(self, frame: Any) -> Any:
        if isinstance(frame, Enqueues):
            assert self.is_free.wait(DEADLINE_SECONDS)
            self.known.update(one.id for one in frame.calls)
        elif isinstance(frame, Ask):
            ids = {frame.parameters["id"]} if "id" in frame.parameters else set(frame.parameters["ids"])
            if not ids <= self.known:
                return Failure(frame.number, "ExecutionNotFound", f"{ids} is not known")
        return tell(frame)


@pytest.mark.parametrize("ask", [get_execution, cancel_execution])
@pytest.mark.parametrize("calls", [1, 10_000])
async def test_a_call_that_nobody_awaited_is_known_to_what_is_asked_next(
    compute: Function, runner: FakeRunner, ask: Asking, calls: int
) -> None:
    runner.answer = memory = Memory()
    handles = [call(compute, number) for number in range(calls)]
    asking = [asyncio.ensure_future(ask(handles[place].id)) for place in (-1, 0)]
    await asyncio.sleep(0)  # each of them is on its way
    memory.is_free.set()

    assert [(await one).id for one in asking] == [handles[-1].id, handles[0].id]


async def test_what_is_asked_does_not_overtake_calls_that_a_lost_connection_holds_back(
    compute: Function, runner: FakeRunner
) -> None:
    runner.answer = lambda frame: runner.hang_up()
    handle = call(compute, 1)
    await asyncio.to_thread(runner.until, lambda seen: len(seen.calls) == 4)  # the fifth time is 0.4 s away
    runner.answer = memory = Memory()
    memory.is_free.set()

    assert (await get_execution(handle.id)).id == handle.id
    assert [type(frame) for frame in runner.frames[-2:]] == [Enqueues, Ask]


async def test_calls_held_back_in_one_project_hold_nothing_back_in_another(
    compute: Function, folder: DataFolder, elsewhere: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("defer_cli.client.lanes.definitions", lambda: (elsewhere,))
    with FakeRunner(folder) as first, FakeRunner(folder_of(elsewhere), tell):
        first.answer = lambda frame: first.hang_up()
        handle = call(compute, 1)
        await asyncio.to_thread(first.until, lambda seen: len(seen.calls) >= 3)
        assert (await get_execution(ID)).id == ID
        first.answer = tell
        await handle


# Which project an id belongs to.


@pytest.fixture
def elsewhere(compute: Function, tmp_path: Path) -> Function:
    """Give a function of a second project."""
    folder = tmp_path / "other" / "src" / "defer"
    folder.mkdir(parents=True)
    return Function(str(folder / "send.py"), name="send")


def folder_of(function: Function) -> DataFolder:
    return DataFolder(str(Path(function.file).parents[2] / ".defer"))


@pytest.fixture
def defined(compute: Function, elsewhere: Function, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process have defined functions of both projects."""
    monkeypatch.setattr("defer_cli.client.lanes.definitions", lambda: (compute, elsewhere))


@pytest.mark.parametrize("ask", [get_execution, cancel_execution])
async def test_an_id_is_looked_for_in_every_project_of_this_process(
    runner: FakeRunner, elsewhere: Function, defined: None, ask: Asking
) -> None:
    runner.answer = Memory()
    with FakeRunner(folder_of(elsewhere), tell) as second:
        assert (await ask(ID)).id == ID
    assert (len(asked(runner)), len(asked(second))) == (1, 1)


async def test_an_id_that_no_project_knows_is_not_found(runner: FakeRunner, elsewhere: Function, defined: None) -> None:
    runner.answer = Memory()
    with FakeRunner(folder_of(elsewhere), Memory()), pytest.raises(ExecutionNotFound, match="is not known"):
        await get_execution(ID)


async def test_an_id_that_may_belong_to_a_project_without_a_runner_is_not_called_unknown(
    runner: FakeRunner, elsewhere: Function, defined: None
) -> None:
    runner.answer = Memory()

    with pytest.raises(NoRunner, match="other/.defer: no runner is alive to show execution"):
        await get_execution(ID)


async def test_a_list_of_several_projects_is_that_of_the_working_directory(
    compute: Function, runner: FakeRunner, elsewhere: Function, defined: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    with pytest.raises(SettingError, match="functions of several projects: .*/.defer, .*/other/.defer; run it in"):
        await list_executions()
    monkeypatch.chdir(Path(elsewhere.file).parents[2])
    with FakeRunner(folder_of(elsewhere), tell):
        assert len(await list_executions()) == 0
        assert defer_enabled()
    assert not defer_enabled()  # half of the functions would find nobody
    assert not asked(runner)


async def test_functions_outside_every_project_do_not_count(
    compute: Function, runner: FakeRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    stray = Function("/proc/nowhere/send.py")
    monkeypatch.setattr("defer_cli.client.lanes.definitions", lambda: (stray, compute))
    monkeypatch.chdir("/")
    runner.answer = tell

    assert (await get_execution(ID)).id == ID


async def test_a_process_without_functions_asks_the_project_it_runs_in(
    runner: FakeRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("defer_cli.client.lanes.definitions", lambda: ())
    monkeypatch.chdir(tmp_path)
    runner.answer = tell

    assert (await get_execution(ID)).id == ID


@pytest.mark.parametrize("is_gone", [False, True])
async def test_a_process_outside_every_project_is_told_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, is_gone: bool
) -> None:
    monkeypatch.setattr("defer_cli.client.lanes.definitions", lambda: ())
    place = tmp_path / "place"
    place.mkdir()
    monkeypatch.chdir(place if is_gone else "/")
    place.rmdir()

    with pytest.raises(SettingError, match="import one of its functions, run in its folder, or set DEFER_DATA"):
        await get_execution(ID)


async def test_the_data_folder_may_be_named_from_anywhere(
    runner: FakeRunner, folder: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("defer_cli.client.lanes.definitions", lambda: ())
    monkeypatch.setenv("DEFER_DATA", folder.path)
    monkeypatch.chdir("/")
    runner.answer = tell

    assert (await get_execution(ID)).id == ID
    assert defer_enabled()


async def test_two_projects_with_one_data_folder_are_one(
    compute: Function, runner: FakeRunner, defined: None, folder: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEFER_DATA", folder.path)
    monkeypatch.chdir("/")
    runner.answer = tell

    assert len(await list_executions()) == 0
    assert list_entries(folder) == []
