"""Somebody else holds the database's lock: what functions came to waits for it, and is lost or done again by nobody."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from defer_cli.domain.states import State
from tests.faults.figures import rounds, tell
from tests.process.harness import Project

pytestmark = [pytest.mark.process, pytest.mark.fault]

FUNCTION = """
    @defer
    async def returns(number):
        note("began", number)
        await until_noted("go")
        note("returned", number)
        return number
"""


def test_results_outlast_a_lock_that_another_program_holds(project: Project) -> None:
    project.write(returns=FUNCTION)
    count = rounds(20, 100)
    with project.run("--workers", "1") as runner, runner.client() as client:
        ids = client.calls("returns", [[number] for number in range(count)])
        project.until_noted("began", count)
        with closing(sqlite3.connect(project.data / "defer.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            project.note("go")
            project.until_noted("returned", count)
            runner.until_line("the store refused a transaction")
            other.execute("ROLLBACK")
        ends = {client.wait(id) for id in ids}
        assert runner.stop() == 0

    attempts = {project.get(id).attempt for id in ids}
    again = len(project.noted("returned")) - count
    tell(
        11,
        fault="another program holds the lock of the database while functions return",
        runs=count,
        found=f"lost: 0, run again: {again}",
    )
    assert ends == {State.SUCCEED}
    assert attempts == {1}
    assert again == 0
