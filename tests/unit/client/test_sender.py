"""Losses on the way: a runner that goes, comes back, never answers, or is not there."""

from __future__ import annotations

import asyncio
from threading import Semaphore
from typing import Any

import pytest

from defer_cli.client import process
from defer_cli.client.calls import Call, make_call, make_result_call
from defer_cli.client.lanes import defer_enabled
from defer_cli.client.routes import Route, set_worker_route
from defer_cli.domain.errors import DeferError, NoRunner, SettingError, Unconfirmed
from defer_cli.link.frames import Enqueued, Enqueues, Wait
from defer_cli.link.inbox import list_entries, read_entry
from defer_cli.link.project import DataFolder, point_to
from defer_cli.link.sockets import connect
from tests.unit.client.conftest import Function
from tests.unit.client.fake_runner import FakeRunner, store


def call(fn: Function, *args: Any) -> Call:
    return make_call(fn, args, {})


async def test_after_a_lost_connection_the_same_ids_are_sent_again(compute: Function, runner: FakeRunner) -> None:
    def lose_once(frame: Any) -> Any:
        runner.answer = store
        runner.hang_up()

    runner.answer = lose_once
    handle = call(compute, 1)
    await handle

    assert [one.id for one in runner.calls] == [handle.id, handle.id]


@pytest.mark.parametrize("error", [TimeoutError, BrokenPipeError, BlockingIOError])
async def test_a_runner_that_has_its_hands_full_is_asked_again(
    compute: Function, runner: FakeRunner, monkeypatch: pytest.MonkeyPatch, error: type[OSError]
) -> None:
    failures = [error("not now")]

    def connect_or_fail(path: str, **given: Any) -> Any:
        if failures:
            raise failures.pop()
        return connect(path, **given)

    monkeypatch.setattr("defer_cli.client.connection.connect", connect_or_fail)
    handle = call(compute, 1)
    await handle

    assert [one.id for one in runner.calls] == [handle.id]


async def test_a_runner_that_always_hangs_up_leaves_it_unknown(
    compute: Function, runner: FakeRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("defer_cli.client.shipments.LONGEST_WAIT_SECONDS", 0.2)
    runner.answer = lambda frame: runner.hang_up()

    with pytest.raises(Unconfirmed, match="unknown whether stored"):
        await call(compute, 1)


async def test_a_runner_that_never_answers_leaves_it_unknown(
    compute: Function, runner: FakeRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("defer_cli.client.shipments.LONGEST_WAIT_SECONDS", 0.05)
    runner.answer = lambda frame: None

    with pytest.raises(Unconfirmed, match="unknown whether stored"):
        await call(compute, 1)


async def test_calls_behind_a_runner_that_never_answers_are_given_up_too(
    compute: Function, runner: FakeRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("defer_cli.client.shipments.LONGEST_WAIT_SECONDS", 0.05)
    monkeypatch.setattr("defer_cli.client.sender.LONGEST_WAIT_SECONDS", 0.05)
    runner.answer = lambda frame: None

    ends = await asyncio.gather(*[call(compute, number) for number in range(6_000)], return_exceptions=True)

    assert all(isinstance(end, DeferError) for end in ends)


async def test_a_runner_that_dies_leaves_its_calls_to_the_inbox(compute: Function, folder: DataFolder) -> None:
    with FakeRunner(folder) as runner:
        runner.answer = lambda frame: runner.die()
        handle = call(compute, 1)
        await handle

    (name,) = list_entries(folder)
    assert [one.id for one in read_entry(folder, name)] == [handle.id]


async def test_without_a_runner_many_calls_make_one_file(compute: Function, folder: DataFolder) -> None:
    await asyncio.gather(*[call(compute, number) for number in range(100)])

    names = list_entries(folder)
    assert sum(len(read_entry(folder, name)) for name in names) == 100
    assert len(names) < 10


def test_without_a_runner_and_a_loop_a_call_is_in_the_inbox_when_it_returns(
    compute: Function, folder: DataFolder
) -> None:
    handle = call(compute, 1)

    (name,) = list_entries(folder)
    assert read_entry(folder, name)[0].id == handle.id


async def test_the_way_is_chosen_a_call_at_a_time(compute: Function, folder: DataFolder) -> None:
    await call(compute, 1)
    with FakeRunner(folder) as runner:
        await call(compute, 2)
        assert [one.arguments for one in runner.calls] == [b"[2]"]
    await call(compute, 3)

    assert [read_entry(folder, name)[0].arguments for name in list_entries(folder)] == [b"[1]", b"[3]"]


def test_an_inbox_that_cannot_be_written_refuses_the_call(compute: Function, folder: DataFolder) -> None:
    folder.create()
    with open(folder.inbox, "w", encoding="utf-8"):
        pass

    with pytest.raises(NoRunner, match="nothing was stored"):
        call(compute, 1)


def test_a_pointer_is_followed_by_a_process_that_began_before_it(
    compute: Function, folder: DataFolder, tmp_path: Any
) -> None:
    call(compute, 1)
    elsewhere = DataFolder(str(tmp_path / "elsewhere"))
    with FakeRunner(elsewhere) as runner:
        point_to(str(tmp_path), elsewhere)
        call(compute, 2)

        assert len(runner.calls) == 1


async def test_a_runner_of_another_protocol_is_an_error_with_a_mend(compute: Function, folder: DataFolder) -> None:
    with FakeRunner(folder, lambda frame: None, protocol=99), pytest.raises(DeferError, match="one version of defer"):
        await call(compute, 1)


async def test_waiting_for_a_result_outlives_a_lost_connection(compute: Function, runner: FakeRunner) -> None:
    def lose_the_wait(frame: Any) -> Any:
        if not isinstance(frame, Wait):
            return store(frame)
        runner.answer = store
        return runner.hang_up()

    runner.answer = lose_the_wait

    assert await make_result_call(compute, (1,), {}) == 42


async def test_a_wait_whose_runner_does_not_come_back_ends(
    compute: Function, folder: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("defer_cli.client.shipments.LONGEST_WAIT_SECONDS", 0.2)
    with FakeRunner(folder) as runner:
        runner.answer = lambda frame: runner.die() if isinstance(frame, Wait) else store(frame)

        with pytest.raises(Unconfirmed, match="did not come back"):
            await make_result_call(compute, (1,), {})


async def test_calls_of_two_projects_go_to_their_own_runners(
    compute: Function, runner: FakeRunner, tmp_path: Any
) -> None:
    other = tmp_path / "other"
    (other / "src" / "defer").mkdir(parents=True)
    with FakeRunner(DataFolder(str(other / ".defer"))) as second:
        there = Function(str(other / "src" / "defer" / "send.py"), name="send")
        await asyncio.gather(*[call(fn, number) for number in range(10) for fn in (compute, there)])

        assert {one.function for one in runner.calls} == {"compute"}
        assert {one.function for one in second.calls} == {"send"}


def test_a_function_outside_every_project_is_refused_at_the_call(compute: Function, tmp_path: Any) -> None:
    lost = Function("/proc/nowhere/send.py", name="send")

    with pytest.raises(SettingError, match="in no defer project"):
        call(lost, 1)


class Pipe(Route):
    """A worker's route whose runner answers at once."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[Any] = []

    def _write(self, message: Any) -> None:
        self.sent.append(message)
        if isinstance(message, Enqueues):
            self.deliver(Enqueued(message.number, 1, [None] * len(message.calls)))


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Pipe:
    monkeypatch.setattr("defer_cli.client.routes._worker_route", None)
    route = Pipe()
    set_worker_route(route)
    return route


async def test_in_a_worker_calls_go_over_its_pipe(compute: Function, runner: FakeRunner, pipe: Pipe) -> None:
    handle = call(compute, 1)
    await handle

    assert [one.id for frame in pipe.sent for one in frame.calls] == [handle.id]
    assert not runner.calls


async def test_a_process_forked_from_a_worker_does_not_use_its_pipe(
    compute: Function, runner: FakeRunner, pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rule 9."""
    monkeypatch.setattr("defer_cli.client.routes._worker_route", (pipe, 1))
    await call(compute, 1)

    assert len(runner.calls) == 1


def test_defer_is_enabled_in_a_worker_and_where_a_runner_lives(
    compute: Function, folder: DataFolder, pipe: Pipe, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert defer_enabled()
    monkeypatch.setattr("defer_cli.client.routes._worker_route", None)
    monkeypatch.chdir(tmp_path)
    assert not defer_enabled()
    with FakeRunner(folder):
        assert defer_enabled()


async def test_a_fault_in_the_sender_does_not_stop_it(
    compute: Function, runner: FakeRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender = process.sender()
    monkeypatch.setattr("defer_cli.client.sender._PAUSE_AFTER_FAULT_SECONDS", 0.0)
    turn, faults = sender._turn, iter([RuntimeError("boom")])

    def broken_once() -> None:
        for fault in faults:
            raise fault
        turn()

    monkeypatch.setattr(sender, "_turn", broken_once)

    assert (await call(compute, 1)).function == "compute"


@pytest.mark.parametrize(("linger_seconds", "rests"), [(30.0, False), (0.01, True)])
async def test_a_sender_with_nothing_to_watch_stays_awake_for_a_while(
    compute: Function,
    runner: FakeRunner,
    monkeypatch: pytest.MonkeyPatch,
    linger_seconds: float,
    rests: bool,
) -> None:
    sender, has_looked = process.sender(), Semaphore(0)
    await call(compute, 1)
    assert sender._until(lambda: not sender.unanswered(), 10)  # who called goes on before the sender knows
    pause = sender._pause

    def look() -> float:
        has_looked.release()
        return pause()

    monkeypatch.setattr("defer_cli.client.sender._LINGER_SECONDS", linger_seconds)
    monkeypatch.setattr(sender, "_pause", look)
    sender._ring()
    found = not rests
    while found is not rests:
        assert has_looked.acquire(timeout=10)
        with sender._packing:
            found = sender._is_resting
    await call(compute, 2)

    assert len(runner.calls) == 2
