"""What a call may ask for beside its arguments, through a real runner: when, until when, metadata and keys."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from defer_cli.domain.execution import Execution
from defer_cli.domain.states import State
from tests.process.harness import FAST, Client, Project, Runner, until

pytestmark = pytest.mark.process

SOON = 300_000  # microseconds
HOUR = 3_600_000_000


@pytest.fixture(scope="module")
def project(make_project: Callable[[], Project]) -> Project:
    project = make_project()
    project.write(
        mail="""
            @defer
            async def mail(number):
                note("mailed", number)
                return number
        """,
        single="""
            @defer(concurrency=1)
            async def single(number):
                note("singles", number)
                await until_noted(f"single-{number}")
        """,
        long="""
            @defer
            async def long():
                note("long")
                await until_noted("long-go")
                return "whole"
        """,
        flaky=f"""
            @defer({FAST})
            async def flaky():
                if current_execution().attempt == 1:
                    note("flaky")
                    await until_noted("flaky-go")
                    raise ValueError("once")
                return "at last"
        """,
        crash="""
            @defer
            async def crash():
                if current_execution().attempt == 1:
                    note("crash")
                    await until_noted("crash-go")
                    os._exit(1)
                return "run again"
        """,
        broken="""
            @defer(retry=False)
            async def broken(number):
                raise ValueError("no")
        """,
    )
    return project


@pytest.fixture(scope="module")
def runner(project: Project) -> Iterator[Runner]:
    with project.run("--workers", "1") as runner:
        yield runner


@pytest.fixture
def client(runner: Runner) -> Iterator[Client]:
    with runner.client() as client:
        yield client


def now() -> int:
    return time.time_ns() // 1_000


def discarded(project: Project, id: str) -> Execution:
    """Return an execution that was discarded without a start, and not before its time; print how late."""
    execution = project.get(id)
    assert (execution.state, execution.attempt, execution.started_at) == (State.DISCARDED, 0, None)
    assert execution.discard_after is not None
    assert execution.finished_at is not None
    late = execution.finished_at - execution.discard_after
    print(f"discarded {late.total_seconds() * 1000:.0f} ms after its time")
    assert late.total_seconds() >= 0
    return execution


# Discarding.


def test_a_call_to_be_discarded_before_its_delay_is_over_never_starts(project: Project, client: Client) -> None:
    id = client.call("mail", "late", scheduled_us=now() + HOUR, discard_us=now() + SOON)

    assert client.wait(id) == "discarded"
    discarded(project, id)


def test_a_call_whose_time_was_over_before_it_was_made_never_starts(project: Project, client: Client) -> None:
    id = client.call("mail", "past", discard_us=now() - SOON)

    assert client.wait(id) == "discarded"
    discarded(project, id)
    assert "past" not in project.noted("mailed")


def test_a_call_that_stood_in_the_queue_for_too_long_never_starts(project: Project, client: Client) -> None:
    first = client.call("single", 1)
    project.until_noted("singles")
    second = client.call("single", 2, discard_us=now() + SOON)
    third = client.call("single", 3, discard_us=now() + HOUR)
    assert client.wait(second) == "discarded"
    for number in (1, 3):
        project.note(f"single-{number}")
    ends = [client.wait(id) for id in (first, third)]

    discarded(project, second)
    assert ends == ["succeed", "succeed"]
    assert project.noted("singles") == ["1", "3"]


def test_a_call_rescheduled_beyond_its_last_moment_is_discarded(project: Project, client: Client) -> None:
    id = client.call("mail", "moved away", scheduled_us=now() + SOON, discard_us=now() + 2 * SOON)
    (change,) = client.ask("reschedule", ids=[id], scheduled_us=now() + HOUR)

    assert change["refusal"] is None
    assert client.wait(id) == "discarded"
    discarded(project, id)
    assert "moved away" not in project.noted("mailed")


def test_a_call_rescheduled_to_before_its_last_moment_runs(project: Project, client: Client) -> None:
    id = client.call("mail", "moved here", scheduled_us=now() + HOUR, discard_us=now() + HOUR // 2)
    client.ask("reschedule", ids=[id])

    assert client.wait(id) == "succeed"
    assert project.get(id).discard_after is not None


def test_what_has_started_in_time_may_run_as_long_as_it_wants(project: Project, client: Client) -> None:
    last_moment = now() + 2 * SOON
    id = client.call("long", discard_us=last_moment)
    project.until_noted("long")
    later = client.call("mail", "later", scheduled_us=now() + HOUR, discard_us=last_moment + 1)
    assert client.wait(later) == "discarded"  # so the time of the other is over too
    project.note("long-go")

    assert client.wait(id) == "succeed"
    assert project.result(id) == "whole"


@pytest.mark.parametrize(("name", "result"), [("flaky", "at last"), ("crash", "run again")])
def test_what_has_started_once_is_tried_again_after_its_last_moment(
    project: Project, client: Client, name: str, result: str
) -> None:
    last_moment = now() + 2 * SOON
    id = client.call(name, discard_us=last_moment)
    project.until_noted(name)
    later = client.call("mail", "later", scheduled_us=now() + HOUR, discard_us=last_moment + 1)
    assert client.wait(later) == "discarded"
    project.note(f"{name}-go")

    assert client.wait(id) == "succeed"
    assert (project.result(id), project.get(id).attempt) == (result, 2)


def test_what_was_overdue_while_no_runner_lived_is_discarded_by_the_next(make_project: Callable[[], Project]) -> None:
    project = make_project()
    project.write(
        hold="""
            @defer(concurrency=1, retry=False)
            async def hold(number):
                note("held", number)
                await asyncio.sleep(60 if number == 1 else 0)
        """,
    )
    last_moment = now() + 8 * SOON
    with project.run("--workers", "1") as runner, runner.client() as client:
        client.call("hold", 1)
        overdue = client.call("hold", 2, discard_us=last_moment)
        project.until_noted("held")
        runner.kill()
    until(lambda: now() > last_moment, "its time is over")
    (before,) = [project.get(overdue).state]
    with project.run("--workers", "1") as runner, runner.client() as client:
        state = client.wait(overdue)

    assert (before, state) == (State.CREATED, "discarded")
    discarded(project, overdue)
    assert set(project.noted("held")) == {"1"}


# As a program writes them.


def told_by(project: Project, source: str) -> Any:
    """Run the body of an application's ``main``; return what it told as JSON."""
    body = "\n".join(f"    {line}" for line in source.strip().splitlines())
    done = project.app(
        f"""
import json
from datetime import UTC, datetime, timedelta
from defer.broken import broken
from defer.mail import mail
from defer.single import single

async def main():
    told = {{}}
{body}
    print(json.dumps(told))

asyncio.run(main())
"""
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_spans_count_from_the_call_and_moments_are_kept(project: Project, runner: Runner) -> None:
    told = told_by(
        project,
        """
moment = datetime(2031, 5, 4, 12, tzinfo=UTC)
for name, when in {"words": "1h30m", "seconds": 5400, "timedelta": timedelta(minutes=90), "moment": moment}.items():
    call = assign_options(mail, delay=when, discard_after=when)
    made = await call(name)
    stored = await get_execution(made.id)
    told[name] = [
        (stored.scheduled_at - stored.created_at).total_seconds(),
        (stored.discard_after - stored.scheduled_at).total_seconds(),
        str(stored.scheduled_at),
    ]
""",
    )
    moment = told.pop("moment")

    assert {name: round(delay) for name, (delay, _, _) in told.items()} == dict.fromkeys(told, 5400)
    assert {discard for _, discard, _ in told.values()} == {0.0}
    assert moment[2] == "2031-05-04 12:00:00+00:00"


def test_a_moment_without_a_time_zone_is_refused_before_anything_is_sent(project: Project, runner: Runner) -> None:
    told = told_by(
        project,
        """
for option in ("delay", "discard_after"):
    try:
        assign_options(mail, **{option: datetime(2031, 5, 4, 12)})
    except SettingError as error:
        told[option] = str(error)
""",
    )

    assert told == {
        option: f"{option}: 2031-05-04T12:00:00 has no time zone; "
        "use an aware datetime, e.g. datetime.now(UTC) + timedelta(hours=1)"
        for option in ("delay", "discard_after")
    }


def test_copies_of_copies_add_up_and_leave_what_they_were_made_of_alone(project: Project, runner: Runner) -> None:
    told = told_by(
        project,
        """
first = add_metadata(delay(mail, "1h"), {"user": "1", "plan": "free"})
second = discard_after(assign_options(first, metadata={"plan": "paid"}), "2h")
for name, function in {"first": first, "second": second, "plain": mail}.items():
    stored = await get_execution((await function(name)).id)
    hours = round((stored.scheduled_at - stored.created_at).total_seconds() / 3600)
    told[name] = [stored.metadata, hours, stored.discard_after is not None]
""",
    )

    assert told == {
        "first": [{"user": "1", "plan": "free"}, 1, False],
        "second": [{"user": "1", "plan": "paid"}, 1, True],
        "plain": [{}, 0, False],
    }


def test_a_key_names_one_execution_whatever_its_end(project: Project, runner: Runner) -> None:
    told = told_by(
        project,
        """
async def ended(call):
    try:
        await call
    except ExecutionFailed:
        pass
    return await get_execution(call.id)

done = await ended(await_result(assign_options(mail, key="a"))(1))
failed = await ended(await_result(assign_options(broken, key="a"))(1))
overdue = await ended(await_result(assign_options(mail, key="b", delay="1h", discard_after="10ms"))(1))
waiting = await assign_options(mail, key="c", delay="1h")(1)
cancelled = await cancel_execution(waiting.id)
for name, function, first in [
    ("a", mail, done), ("a", broken, failed), ("b", mail, overdue), ("c", mail, cancelled),
]:
    again = await assign_options(function, key=name)(1)
    told[f"{name} {function.name}"] = [again.id == first.id, again.state, (await get_execution(again.id)).state]
try:
    await assign_options(mail, key="a")(2)
except CallRefused as error:
    told["other arguments"] = str(error)
""",
    )
    refusal = told.pop("other arguments")

    assert told == {
        "a mail": [True, "succeed", "succeed"],
        "a broken": [True, "failed", "failed"],
        "b mail": [True, "discarded", "discarded"],
        "c mail": [True, "cancelled", "cancelled"],
    }
    assert "other arguments" in refusal
