"""Calls from an application: by the socket of a living runner, else through the inbox; with their options."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from typing import Any

import pytest

from defer_cli.domain.states import State
from defer_cli.link.inbox import count_refused
from defer_cli.link.project import DataFolder
from tests.process.harness import Project, until

pytestmark = pytest.mark.process

GREET = """
    @defer
    async def greet(name="world"):
        note("greeted", name)
        return f"hello {name}"
"""


def answer(said: str) -> Any:
    """Return what a script has printed as its last line of JSON."""
    return json.loads(said.strip().split("\n")[-1])


def test_an_application_calls_by_the_socket(project: Project) -> None:
    project.write(greet=GREET)
    with project.run("--workers", "1") as runner, runner.client() as client:
        said = project.app(
            """
            import json
            from defer.greet import greet
            async def main():
                execution = await greet("ann")
                print(json.dumps([execution.id, execution.state]))
            asyncio.run(main())
            """
        )
        id, state = answer(said.stdout)
        client.wait(id)

    assert state == "created"
    assert project.result(id) == "hello ann"


def test_a_call_without_a_loop_is_on_disk_when_it_returns(project: Project) -> None:
    project.write(greet=GREET)
    with project.run("--workers", "1"):
        said = project.app("import os\nfrom defer.greet import greet\nprint(greet('bob').id, flush=True)\nos._exit(0)")
    id = said.stdout.strip()

    assert project.get(id).function == "greet"


def test_a_call_with_no_runner_is_run_by_the_next_one(project: Project) -> None:
    project.write(greet=GREET)
    said = project.app(
        """
        from defer.greet import greet
        for number in range(3):
            greet(str(number))
        """
    )
    waiting = len(list((project.data / "inbox").glob("*.calls")))
    project.burst("--workers", "1")

    assert said.returncode == 0, said.stderr
    assert waiting == 3
    assert sorted(project.noted("greeted")) == ["0", "1", "2"]
    assert list((project.data / "inbox").glob("*.calls")) == []


def test_a_call_left_while_a_runner_lives_is_taken_within_its_next_look(project: Project) -> None:
    project.write(greet=GREET)
    project.app("from defer.greet import greet\ngreet('early')")
    (entry,) = (project.data / "inbox").glob("*.calls")
    kept = entry.read_bytes()
    entry.unlink()
    with project.run("--workers", "1"):
        (project.data / "inbox" / entry.name).write_bytes(kept)
        project.until_noted("greeted")

    assert project.noted("greeted") == ["early"]


def test_an_inbox_entry_that_cannot_be_taken_is_set_aside_and_told(project: Project) -> None:
    project.write(greet=GREET)
    for name in ("one", "other"):
        said = project.app(
            f"""
            from defer.greet import greet
            assign_options(greet, key="k")({name!r})
            """
        )
        assert said.returncode == 0, said.stderr
    (project.data / "inbox" / "00000000000000000000.calls").write_bytes(b"\xff")
    runner = project.burst("--workers", "1")

    assert runner.process.returncode == 1
    assert project.noted("greeted") == ["one"]
    assert count_refused(DataFolder(str(project.data))) == 2
    assert "refused" in runner.output


def test_options_of_a_call_are_kept(project: Project) -> None:
    project.write(greet=GREET)
    with project.run("--workers", "1") as runner, runner.client() as client:
        said = project.app(
            """
            import json
            from defer.greet import greet
            async def main():
                later = await delay(greet, "1h")("later")
                soon = await delay(greet, 0.2)("soon")
                tagged = await add_metadata(greet, {"team": "shop"})("tagged")
                gone = await assign_options(greet, delay=0.3, discard_after=0.1)("gone")
                print(json.dumps([call.id for call in (later, soon, tagged, gone)]))
            asyncio.run(main())
            """
        )
        later, soon, tagged, gone = answer(said.stdout)
        ends = [client.wait(id) for id in (soon, tagged, gone)]

    assert ends == ["succeed", "succeed", "discarded"]
    waiting, ran = project.get(later), project.get(soon)
    assert (waiting.state, waiting.scheduled_at - waiting.created_at) == (State.CREATED, timedelta(hours=1))
    assert ran.started_at is not None
    assert ran.started_at - ran.created_at >= timedelta(seconds=0.2)
    assert project.get(tagged).metadata == {"team": "shop"}
    assert "gone" not in project.noted("greeted")


def test_a_key_is_one_execution_and_other_arguments_are_refused(project: Project) -> None:
    project.write(greet=GREET)
    with project.run("--workers", "1"):
        said = project.app(
            """
            import json
            from defer.greet import greet
            async def main():
                keyed = assign_options(greet, key="2026-47")
                first, second = await keyed("ann"), await keyed(name="ann")
                try:
                    await keyed("bob")
                except CallRefused as error:
                    print(json.dumps([first.id == second.id, str(error)]))
            asyncio.run(main())
            """
        )
    is_one, refusal = answer(said.stdout)

    assert is_one is True
    assert "arguments" in refusal
    assert project.noted("greeted") == ["ann"]


def test_a_call_that_does_not_fit_is_refused_at_the_call(project: Project) -> None:
    project.write(greet=GREET)
    said = project.app("from defer.greet import greet\ngreet(1, 2)")

    assert said.returncode == 1
    assert "ArgumentError" in said.stderr
    assert not (project.data / "inbox").exists()


def test_a_delay_counts_from_the_call_also_through_the_inbox(project: Project) -> None:
    project.write(greet=GREET)
    said = project.app(
        """
        from defer.greet import greet
        print(delay(greet, "1h")("later").id)
        """
    )
    called = time.time()
    project.burst("--workers", "1")
    execution = project.get(said.stdout.strip())

    assert execution.state is State.CREATED
    assert abs(execution.scheduled_at.timestamp() - called - 3600) < 30


def test_calls_survive_a_runner_that_starts_again(project: Project) -> None:
    project.write(greet=GREET)
    app = project.start_app(
        """
        from defer.greet import greet
        for number in range(400):
            greet(str(number))
        """
    )
    with project.run("--workers", "1") as runner:
        project.until_noted("greeted", 20)
        runner.kill()
    with project.run("--workers", "1") as runner:
        app.communicate(timeout=30)
        until(lambda: len(set(project.noted("greeted"))) == 400, "each call has run")
        runner.stop()

    assert app.returncode == 0
    assert project.counts() == {("greet", State.SUCCEED): 400}
