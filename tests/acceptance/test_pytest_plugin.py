"""The plugin as a user's pytest meets it: in an empty folder, with each way of writing async tests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.command import environment

APP = """
from defer_cli import defer

@defer
async def greet(name: str) -> str:
    return f"Hello {name}!"
"""
ASYNC_TEST = """
import pytest
from app import greet

{mark}
async def test_greeting(sandbox):
    call = greet("Ada")
    await sandbox.drain()
    assert sandbox.result(call) == "Hello Ada!"
"""
PLAIN_TEST = """
import asyncio
from app import greet

def test_greeting(sandbox):
    call = greet("Ada")
    asyncio.run(sandbox.drain())
    assert sandbox.result(call) == "Hello Ada!"
"""
FAILING_TEST = """
from defer_cli import defer

@defer(retry=1)
async def ship(order):
    return {}[order]

async def test_shipping(sandbox):
    ship("A-12")
    await sandbox.drain()
"""
FROZEN_TEST = """
import asyncio
import datetime
import sys
from app import greet

class Frozen(datetime.datetime):
    pass

def test_greeting(sandbox, monkeypatch):
    for name, module in list(sys.modules.items()):  # as freezegun does
        if name.startswith("defer_cli") and vars(module).get("datetime") is datetime.datetime:
            monkeypatch.setattr(module, "datetime", Frozen)
    call = greet("Ada")
    asyncio.run(sandbox.drain())
    assert [one.id for one in sandbox.executions(greet)] == [call.id]
    assert len(sandbox.attempts(call)) == 1
"""
ASYNCIO = ["-o", "asyncio_default_fixture_loop_scope=function"]
WAYS = {
    "plain": (PLAIN_TEST, ["-p", "no:asyncio", "-p", "no:anyio"]),
    "pytest-asyncio, strict": (ASYNC_TEST.format(mark="@pytest.mark.asyncio"), [*ASYNCIO, "-o", "asyncio_mode=strict"]),
    "pytest-asyncio, auto": (ASYNC_TEST.format(mark=""), [*ASYNCIO, "-o", "asyncio_mode=auto"]),
    "anyio": (
        ASYNC_TEST.format(mark='@pytest.mark.anyio\n@pytest.mark.parametrize("anyio_backend", ["asyncio"])'),
        ["-p", "no:asyncio"],
    ),
}


def run_pytest(folder: Path, test: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run pytest as a user does, warnings being errors."""
    (folder / "app.py").write_text(APP)
    (folder / "test_app.py").write_text(test)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", *options],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("way", WAYS)
def test_the_sandbox_works_with_every_way_of_writing_tests(way: str, tmp_path: Path) -> None:
    test, options = WAYS[way]

    tested = run_pytest(tmp_path, test, *options)

    assert "1 passed" in tested.stdout, tested.stdout + tested.stderr
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "__pycache__") == ["app.py", "test_app.py"]


def test_time_may_be_frozen_by_others(tmp_path: Path) -> None:
    tested = run_pytest(tmp_path, FROZEN_TEST, "-p", "no:asyncio")

    assert "1 passed" in tested.stdout, tested.stdout + tested.stderr


def test_a_failing_function_is_shown_where_it_fails(tmp_path: Path) -> None:
    shown = run_pytest(tmp_path, FAILING_TEST, *ASYNCIO, "-o", "asyncio_mode=auto").stdout

    assert ">       return {}[order]" in shown
    assert "E       KeyError: 'A-12'" in shown
    assert ">       await sandbox.drain()" in shown
    assert "E       This is what attempt 2 raised; no retry was left." in shown
    assert "defer_cli/" not in shown  # nor any frame of ours


def test_a_test_without_a_sandbox_loads_nothing_of_it(tmp_path: Path) -> None:
    shown = "import sys\n\ndef test_modules():\n    assert not {heavy} & set(sys.modules)\n".format(
        heavy={"msgspec", "sqlite3", "defer_cli.testing.sandbox", "defer_cli.client.calls"}
    )

    tested = run_pytest(
        tmp_path, shown, "-p", "no:asyncio", "-p", "no:anyio", "-p", "no:hypothesispytest", "-p", "no:cov"
    )

    assert "1 passed" in tested.stdout, tested.stdout + tested.stderr
