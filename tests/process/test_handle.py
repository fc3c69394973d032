"""Calls outlive whatever ends their process in an orderly way, with a runner and without."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from defer_cli.domain.enqueue import Enqueue
from defer_cli.link.inbox import list_entries, read_entry
from defer_cli.link.project import DataFolder
from tests.unit.client.fake_runner import FakeRunner

pytestmark = pytest.mark.process
DEADLINE_SECONDS = 60

FUNCTION = """
from defer_cli import defer

@defer
async def compute(number: int) -> None: ...
"""

PREAMBLE = """
import asyncio, atexit, os, sys, threading
from defer.compute import compute

async def call(count):
    for number in range(count):
        compute(number)
"""


class App:
    """A project, and scripts that call its function in a process of their own."""

    def __init__(self, root: Path) -> None:
        self.source = root / "src"
        self.folder = DataFolder(str(root / ".defer"))
        (self.source / "defer").mkdir(parents=True)
        (self.source / "defer" / "__init__.py").touch()
        (self.source / "defer" / "compute.py").write_text(FUNCTION)

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        """Run ``script`` to its end."""
        file = self.source / "app.py"
        file.write_text(PREAMBLE + script)
        return subprocess.run(
            [sys.executable, "-W", "ignore", str(file)],
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
            check=False,
        )

    @property
    def in_inbox(self) -> list[Enqueue]:
        """The calls on disk."""
        return [call for name in list_entries(self.folder) for call in read_entry(self.folder, name)]


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> App:
    monkeypatch.delenv("DEFER_DATA", raising=False)
    return App(tmp_path)


@pytest.fixture(params=["runner", "inbox"])
def stored(request: pytest.FixtureRequest, app: App) -> Iterator[Callable[[], list[bytes]]]:
    """Give the arguments of all calls that reached the runner, or the inbox where none lives."""
    if request.param == "inbox":
        yield lambda: sorted(call.arguments for call in app.in_inbox)
        return
    with FakeRunner(app.folder) as runner:
        yield lambda: sorted(call.arguments for call in runner.calls)


def numbers(*found: int) -> list[bytes]:
    return sorted(b"[%d]" % number for number in found)


def test_unawaited_calls_survive_the_end_of_asyncio_run(app: App, stored: Callable[[], list[bytes]]) -> None:
    """Rule 1 and 9."""
    done = app.run("asyncio.run(call(3000))")

    assert done.returncode == 0, done.stderr
    assert stored() == numbers(*range(3000))


def test_unawaited_calls_survive_sys_exit(app: App, stored: Callable[[], list[bytes]]) -> None:
    """Rule 9."""
    done = app.run("async def main():\n    await call(500)\n    sys.exit(7)\nasyncio.run(main())")

    assert done.returncode == 7, done.stderr
    assert stored() == numbers(*range(500))


def test_unawaited_calls_survive_an_exception(app: App, stored: Callable[[], list[bytes]]) -> None:
    """Rule 9."""
    done = app.run("async def main():\n    await call(500)\n    raise KeyError('x')\nasyncio.run(main())")

    assert "KeyError" in done.stderr
    assert stored() == numbers(*range(500))


def test_calls_of_a_thread_that_outlives_the_main_one_survive(app: App, stored: Callable[[], list[bytes]]) -> None:
    """Rule 9."""
    app.run("threading.Thread(target=lambda: asyncio.run(call(100))).start()")

    assert stored() == numbers(*range(100))


def test_calls_made_while_the_interpreter_closes_are_sent(app: App, stored: Callable[[], list[bytes]]) -> None:
    """Rule 11."""
    done = app.run("atexit.register(compute, 2)\nasyncio.run(call(2))")

    assert done.stderr == ""
    assert stored() == numbers(0, 1, 2)


def test_a_first_call_made_while_the_interpreter_closes_is_sent(app: App, stored: Callable[[], list[bytes]]) -> None:
    """Rule 11."""
    done = app.run("atexit.register(lambda: asyncio.run(call(3)))")

    assert done.stderr == ""
    assert stored() == numbers(0, 1, 2)


def test_a_forked_child_calls_by_itself_and_the_parent_stores_what_was_pending(
    app: App, stored: Callable[[], list[bytes]]
) -> None:
    """Rule 9."""
    done = app.run("""
async def main():
    await call(1000)
    if os.fork() == 0:
        compute(1000)
        sys.exit(0)
    compute(1001)
asyncio.run(main())
os.wait()
""")

    assert done.returncode == 0, done.stderr
    assert stored() == numbers(*range(1002))


def test_a_forked_child_has_ids_of_its_own(app: App) -> None:
    """Rule 9."""
    app.run("compute(0)\npid = os.fork()\nfor _ in range(300): compute(1)\nif pid: os.wait()")

    assert len({call.id for call in app.in_inbox}) == 601


def test_a_forked_child_has_a_connection_of_its_own(app: App) -> None:
    """Rule 9."""
    with FakeRunner(app.folder) as runner:
        app.run("compute(0)\nif os.fork() == 0:\n    compute(1)\n    sys.exit(0)\nos.wait()\ncompute(2)")

        assert len(set(runner.pids)) == 2
        assert [call.arguments for call in runner.calls] == [b"[0]", b"[1]", b"[2]"]


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_calls_of_multiprocessing_children_survive(app: App, stored: Callable[[], list[bytes]], method: str) -> None:
    """Rule 9."""
    done = app.run(f"""
import multiprocessing
def work(start):
    async def main():
        for number in range(start, start + 200):
            compute(number)
    asyncio.run(main())
if __name__ == "__main__":
    asyncio.run(call(100))
    context = multiprocessing.get_context("{method}")
    children = [context.Process(target=work, args=(start,)) for start in (100, 300)]
    for child in children: child.start()
    for child in children: child.join()
""")

    assert done.stderr == ""
    assert stored() == numbers(*range(500))


def test_calls_of_a_process_pool_survive(app: App, stored: Callable[[], list[bytes]]) -> None:
    """Rule 9."""
    done = app.run("""
from concurrent.futures import ProcessPoolExecutor
def work(number):
    async def main():
        compute(number)
    asyncio.run(main())
if __name__ == "__main__":
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(work, range(40)))
""")

    assert done.stderr == ""
    assert stored() == numbers(*range(40))


def test_a_process_forked_inside_a_function_has_left_it(app: App) -> None:
    """Rule 9."""
    app.run("""
from defer_cli.client.context import AttemptScope, current_scope
current_scope.set(AttemptScope(id="01hzx3v9k2m4n6p8q0r2s4t6v8", function="parent", attempt=1, deadline_us=0))
compute(0)
if os.fork() == 0:
    compute(1)
    sys.exit(0)
os.wait()
""")

    assert {call.arguments: call.parent for call in app.in_inbox} == {
        b"[0]": "01hzx3v9k2m4n6p8q0r2s4t6v8",
        b"[1]": None,
    }


def test_what_is_unconfirmed_at_exit_is_named(app: App) -> None:
    """Rule 9."""
    with FakeRunner(app.folder) as runner:
        runner.answer = lambda frame: None
        done = app.run("""
from defer_cli.client import process
process.DRAIN_SECONDS = 0.5
asyncio.run(call(7))
""")

    assert "7 call(s) are unconfirmed after 0.5 s at the end of the process: unknown whether stored" in done.stderr


def test_a_runner_that_dies_at_exit_leaves_the_calls_to_the_inbox(app: App) -> None:
    """Rule 9."""
    with FakeRunner(app.folder) as runner:
        runner.answer = lambda frame: runner.die()
        app.run("asyncio.run(call(50))")

    assert {call.arguments for call in app.in_inbox} == set(numbers(*range(50)))


def test_a_script_without_a_loop_has_each_call_stored_before_the_next_line(
    app: App, stored: Callable[[], list[bytes]]
) -> None:
    """Rule 2."""
    app.run("compute(0)\nos._exit(0)")

    assert stored() == numbers(0)
