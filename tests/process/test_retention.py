"""What has finished long ago is deleted by a real runner, while it works, and through a kill."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from defer_cli.domain.states import State
from defer_cli.store.sqlite import open_store
from tests.process.harness import Project, Runner, until
from tests.store.harness import apply, call, cancel, enqueue, insert, retry, start, succeed

pytestmark = [pytest.mark.process, pytest.mark.timeout(180)]
BIG = b'["' + b"x" * 2_000 + b'"]'
_RUN = """
import sys
from defer_cli.cli.__main__ import main
from defer_cli.engine import retention

retention._FIRST_US = 0
sys.argv = ["defer", "run", "--port", "off", "--project", {project!r}, *{options!r}]
main()
"""


@pytest.fixture
def old(project: Project) -> Project:
    """A project with a function, and 20,000 executions that succeeded on the first day of 2026."""
    project.write(compute="@defer\nasync def compute(n: int = 0) -> None: ...\n")
    project.data.mkdir(mode=0o700)
    store = open_store(project.data / "defer.db")
    for _ in range(20):
        insert(store, *(call(arguments=BIG) for _ in range(1_000)))
        apply(store, *(succeed(one, result=b"1") for one in start(store, limit=1_000)))
        store.checkpoint()
    store.close()
    return project


@contextmanager
def at_once(project: Project, *options: str) -> Iterator[Runner]:
    """Run a runner whose first round begins with it."""
    process = project.start_app(_RUN.format(project=str(project.root), options=options))
    runner = Runner(process, project.data)
    try:
        runner.until_line("runner ready")
        yield runner
    finally:
        runner.kill()


def whole(project: Project) -> None:
    """Fail unless the counters say what is there, and nothing is left of what was deleted."""
    connection = sqlite3.connect(f"file:{project.data / 'defer.db'}?mode=ro", uri=True)
    counted = connection.execute("SELECT function, state, count FROM counters WHERE count <> 0").fetchall()
    there = connection.execute("SELECT function, state, count(*) FROM executions GROUP BY 1, 2").fetchall()
    assert sorted(counted) == sorted(there)
    for table in ("payloads", "outcomes", "attempts", "log_chunks", "metadata"):
        (orphans,) = connection.execute(
            f"SELECT count(*) FROM {table} WHERE seq NOT IN (SELECT seq FROM executions)"
        ).fetchone()
        assert orphans == 0, table
    connection.close()


def test_old_ones_go_while_new_ones_run_and_the_file_shrinks(old: Project) -> None:
    store = open_store(old.data / "defer.db")
    parent = enqueue(store, scheduled_us=1)
    (running,) = start(store)
    children = [enqueue(store, parent=parent) for _ in range(3)]
    for child in children:
        cancel(store, child)
    apply(store, retry(running, scheduled_us=store.now() + 3_600_000_000))
    insert(store, *(call() for _ in range(3_000)))
    store.close()
    before = (old.data / "defer.db").stat().st_size
    with at_once(old) as runner:
        line = runner.until_line("what had finished long ago was deleted")
        until(lambda: old.counts().get(("compute", State.SUCCEED)) == 3_000, "the new ones have succeeded")

    assert "executions=20000 logs=0" in line
    assert {child.id for child in old.children(parent)} == set(children)
    assert old.get(parent).state is State.CREATED
    assert (old.data / "defer.db").stat().st_size < before / 5
    whole(old)


def test_a_kill_in_the_middle_leaves_all_or_nothing_and_the_next_runner_goes_on(old: Project) -> None:
    with at_once(old) as runner:
        until(lambda: 0 < old.in_state(State.SUCCEED) < 20_000, "some are deleted")
        runner.kill()
    assert 0 < old.in_state(State.SUCCEED) < 20_000
    whole(old)
    with at_once(old) as runner:
        runner.until_line("what had finished long ago was deleted")

    assert old.in_state(State.SUCCEED) == 0
    whole(old)


def test_the_maximum_holds_and_what_is_off_deletes_nothing(old: Project) -> None:
    (old.root / "pyproject.toml").write_text(
        '[project]\nname = "old"\n[tool.defer.retention]\nexecutions = false\nmost = 15_000\nlogs = "off"\n'
    )
    with at_once(old) as runner:
        line = runner.until_line("what had finished long ago was deleted")

    assert "executions=5000 logs=0" in line
    assert old.in_state(State.SUCCEED) == 15_000


def test_a_burst_deletes_nothing(old: Project) -> None:
    runner = Runner(old.start_app(_RUN.format(project=str(old.root), options=("--burst",))), old.data)

    assert runner.wait() == 0
    assert old.in_state(State.SUCCEED) == 20_000
