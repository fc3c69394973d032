"""Where the calls of a test go, and where they do not."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from defer_cli import ArgumentError, CallRefused, DeferError, NoRunner, SettingError, await_result, defer, defer_enabled
from defer_cli.engine import endings
from defer_cli.testing import Drained, Sandbox
from tests.unit.testing.functions import greet, never_end


def define(file: Path, body: str) -> Any:
    """Return the function ``job`` as a module of its own defines it."""
    source = f"from defer_cli import defer\n@defer\nasync def job():\n    return {body}\n"
    names: dict[str, Any] = {}
    exec(compile(source, file, "exec"), names)
    return names["job"]


def test_nothing_is_written_into_the_project(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.defer]\n")
    job = define(tmp_path / "src" / "defer" / "job.py", "1")

    job()
    asyncio.run(sandbox.drain())

    assert [path.name for path in tmp_path.iterdir()] == ["pyproject.toml"]


def test_its_threads_and_files_go_with_it() -> None:
    before = threading.active_count()
    with Sandbox() as sandbox:
        folder = Path(sandbox._folder.name)
        greet("Ada")
        assert folder.exists()

    assert not folder.exists()
    assert threading.active_count() <= before + 1  # the sender of this process may have begun
    assert not defer_enabled()


async def test_it_is_used_while_it_is_open() -> None:
    sandbox = Sandbox()

    with pytest.raises(DeferError, match="the sandbox is not open; use it inside `with Sandbox"):
        await sandbox.drain()


def test_each_has_a_store_of_its_own() -> None:
    for _ in range(2):
        with Sandbox() as sandbox:
            greet("Ada")
            assert len(sandbox.executions()) == 1


def test_two_at_once_are_refused(sandbox: Sandbox) -> None:
    with pytest.raises(DeferError, match="another sandbox is open"), Sandbox():
        pass


def test_who_still_waits_when_it_is_closed_is_told_so() -> None:
    async def wait() -> None:
        with Sandbox():
            blocked = asyncio.ensure_future(_wait_for(await_result(hold)()))
            await asyncio.wait_for(_begun.wait(), 20)
        with pytest.raises(NoRunner, match="the sandbox is closed"):
            await blocked

    _begun = asyncio.Event()

    @defer
    async def hold() -> None:
        _begun.set()
        await asyncio.Event().wait()

    asyncio.run(wait())


async def _wait_for(call: Any) -> Any:
    return await call


def test_arguments_are_checked_where_the_call_is_made(sandbox: Sandbox) -> None:
    with pytest.raises(ArgumentError, match="datetime is not JSON"):
        greet(datetime.now(UTC))  # type: ignore[arg-type]  # the point


def test_the_newest_definition_of_a_file_is_run(sandbox: Sandbox, tmp_path: Path) -> None:
    define(tmp_path / "job.py", "1")
    job = define(tmp_path / "job.py", "2")
    define(tmp_path / "other.py", "3")

    call = job()
    asyncio.run(sandbox.drain())

    assert sandbox.result(call) == 2


def test_functions_of_one_name_in_two_files_are_refused(sandbox: Sandbox, tmp_path: Path) -> None:
    define(tmp_path / "one.py", "1")()

    with pytest.raises(CallRefused, match=r"two functions are called job: .*one\.py:2 and .*two\.py:2"):
        define(tmp_path / "two.py", "2")()


def test_what_is_no_cron_is_not_triggered(sandbox: Sandbox) -> None:
    with pytest.raises(DeferError, match=r"greet is not a cron; call it: greet\(…\)"):
        sandbox.trigger(greet)  # type: ignore[arg-type]  # the point


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_has_left_it(sandbox: Sandbox) -> None:
    def call() -> int:
        with pytest.raises(NoRunner, match="has left its sandbox"):
            greet("child")
        return 7

    assert _code_in_fork(call) == 7
    assert sandbox.executions() == []


def _code_in_fork(work: Callable[[], int]) -> int:
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = work()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_the_clock_stands_still_until_it_is_moved(sandbox: Sandbox) -> None:
    before = sandbox.clock.now

    sandbox.clock.move("1h")
    sandbox.clock.move(before + timedelta(hours=2))

    assert sandbox.clock.now - before == timedelta(hours=2)


@pytest.mark.parametrize("when", [timedelta(hours=-1), datetime(2001, 1, 1, tzinfo=UTC), "-5 min", "soon"])
def test_the_clock_goes_forward_only(sandbox: Sandbox, when: Any) -> None:
    before = sandbox.clock.now

    with pytest.raises(SettingError):
        sandbox.clock.move(when)
    assert sandbox.clock.now == before


def test_a_function_that_cannot_be_ended_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endings, "GRACE_SECONDS", 0.05)
    with Sandbox() as sandbox:
        never_end()

        with pytest.raises(DeferError, match="never_end did not end within"):
            asyncio.run(sandbox.drain())
        assert [one.state for one in sandbox.executions()] == ["failed"]

        call = greet("Ada")
        assert asyncio.run(sandbox.drain()) == Drained(succeed=1)
        assert sandbox.result(call) == "Hello Ada."
