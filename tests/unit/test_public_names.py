"""What `import defer_cli` gives, and what it does not load."""

from __future__ import annotations

import subprocess
import sys

import pytest

import defer_cli

HEAVY = "asyncio msgspec croniter sqlite3 typer rich apscheduler starlette uvicorn".split()
DEFINING = """
from defer_cli import defer, assign_options, await_result, DeferError, RetryPolicy

@defer(retry=3, max_duration="5 min")
async def send(user_id: int) -> None: ...

@defer.cron("0 8 * * MON")
async def weekly() -> None: ...

assign_options(send, key="k", delay="5 min")
"""


@pytest.mark.parametrize("program", ["import defer_cli", DEFINING])
def test_defining_functions_loads_nothing_heavy(program: str) -> None:
    shown = f"{program}\nimport sys; print([name for name in {HEAVY} if name in sys.modules])"

    ran = subprocess.run([sys.executable, "-c", shown], capture_output=True, text=True, check=True, timeout=60)

    assert ran.stdout == "[]\n"


@pytest.mark.parametrize("name", defer_cli.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(defer_cli, name) is not None
    assert name in dir(defer_cli)


def test_the_list_of_names_and_their_homes_agree() -> None:
    assert sorted(defer_cli._HOME_OF) == sorted(defer_cli.__all__)


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'deffer'"):
        _ = defer_cli.deffer  # type: ignore[attr-defined]  # the point
