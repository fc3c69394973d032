"""A burst runs what is due and tells by its exit code whether all went well."""

from __future__ import annotations

import pytest

from defer_cli.domain.states import State
from tests.process.harness import Project, Runner

pytestmark = pytest.mark.process

CODE = """
    @defer(retry=False)
    async def good():
        note("ran")
        return 1
"""


@pytest.fixture
def filled(project: Project) -> Project:
    project.write(
        good=CODE,
        bad="""
            @defer(retry=False)
            async def bad():
                raise ValueError
        """,
        later="""
            @defer(retry={'max_attempts': 1, 'initial_interval': 60})
            async def later():
                raise ValueError
        """,
        twice="""
            @defer(retry={'max_attempts': 1, 'initial_interval': 0})
            async def twice():
                if current_execution().attempt == 1:
                    raise ValueError
        """,
        parent="""
            from .good import good
            @defer
            async def parent():
                for _ in range(50):
                    good()
                await await_result(good)()
        """,
        weekly="""
            @defer.cron("0 8 * * MON")
            async def weekly():
                note("weekly")
        """,
    )
    return project


def burst_of(project: Project, source: str, *options: str) -> Runner:
    """Leave calls in the inbox, then run a burst."""
    said = project.app(source)
    assert said.returncode == 0, said.stderr
    return project.burst("--workers", "1", *options)


def test_a_burst_with_nothing_to_do_ends_well(filled: Project) -> None:
    assert filled.burst("--workers", "1").process.returncode == 0
    assert filled.noted("weekly") == []


def test_a_burst_runs_all_that_is_due_also_what_it_calls(filled: Project) -> None:
    burst = burst_of(filled, "from defer.parent import parent\nparent()")

    assert burst.process.returncode == 0
    assert filled.counts() == {("good", State.SUCCEED): 51, ("parent", State.SUCCEED): 1}


def test_a_burst_in_which_one_failed_says_so(filled: Project) -> None:
    source = "from defer.bad import bad\nfrom defer.good import good\nbad(); good()"

    assert burst_of(filled, source).process.returncode == 1
    assert filled.noted("ran") == [""]


def test_a_retry_that_waits_does_not_hold_a_burst_and_is_told(filled: Project) -> None:
    assert burst_of(filled, "from defer.later import later\nlater()").process.returncode == 1
    assert filled.counts() == {("later", State.CREATED): 1}


def test_a_retry_that_is_due_at_once_is_run(filled: Project) -> None:
    assert burst_of(filled, "from defer.twice import twice\ntwice()").process.returncode == 0
    assert filled.counts() == {("twice", State.SUCCEED): 1}


def test_a_delayed_call_does_not_hold_a_burst(filled: Project) -> None:
    assert burst_of(filled, "from defer.good import good\ndelay(good, '1h')()").process.returncode == 0
    assert filled.counts() == {("good", State.CREATED): 1}


def test_a_call_of_a_function_that_is_gone_does_not_hold_a_burst_and_is_told(filled: Project) -> None:
    filled.app("from defer.good import good\ngood()")
    for name in ("good", "parent"):
        (filled.folder / f"{name}.py").unlink()
    burst = filled.burst("--workers", "1")

    assert burst.process.returncode == 1
    assert filled.counts() == {("good", State.CREATED): 1}


def test_a_trigger_runs_a_cron_once(filled: Project) -> None:
    assert filled.burst("--workers", "1", "--trigger", "weekly").process.returncode == 0
    assert filled.noted("weekly") == [""]


def test_a_burst_takes_back_what_a_killed_runner_left(filled: Project) -> None:
    filled.write(
        killer="""
        @defer
        async def killer():
            if current_execution().attempt == 1:
                os.kill(os.getppid(), signal.SIGKILL)
                await asyncio.sleep(60)
        """
    )
    killed = burst_of(filled, "from defer.killer import killer\nkiller()").process.returncode
    again = filled.burst("--workers", "1").process.returncode

    assert (killed, again) == (-9, 0)
    assert filled.counts() == {("killer", State.SUCCEED): 1}
