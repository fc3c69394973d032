"""Whatever becomes of the other side, or of the runner, an alert arrives once or is recorded as given up."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Mapping

import pytest

from defer_cli.domain.alert import Undelivered
from tests.process.harness import Project, is_alive, until
from tests.process.receiver import Answer, Receiver, slack, webhook
from tests.process.test_alerts import settings

pytestmark = [pytest.mark.process, pytest.mark.timeout(240)]

FAIL = """
    @defer(retry=False)
    async def fail():
        raise ValueError("no")
"""
CHANNELS = [pytest.param(slack, id="slack"), pytest.param(webhook, id="webhook")]
Channel = Callable[[Receiver], Mapping[str, str]]


def undelivered(project: Project) -> Undelivered:
    with project.reader() as reader:
        return reader.undelivered(since_us=0)


@pytest.fixture
def failing(project: Project) -> Project:
    project.write(fail=FAIL)
    settings(project)
    return project


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize(
    "answers",
    [
        pytest.param([Answer(500), Answer(503), Answer()], id="500"),
        pytest.param([Answer(429, {"Retry-After": "1"}), Answer()], id="429 for a second"),
        pytest.param([Answer(429, {"Retry-After": "3"}), Answer(429), Answer()], id="429 for longer"),
        pytest.param([Answer(400), Answer()], id="400"),
        pytest.param([Answer(302, {"Location": "http://127.0.0.1:1/elsewhere"}), Answer()], id="a redirect"),
    ],
)
def test_what_was_refused_is_sent_again_until_it_is_taken(
    answers: list[Answer], channel: Channel, failing: Project
) -> None:
    tries = len(answers)
    with Receiver(*answers) as receiver:
        failing.runner_environment = dict(channel(receiver))
        with failing.run() as runner, runner.client() as client:
            client.run("fail")
            receiver.until_arrived()
            runner.until_line("alert sent")
            assert runner.stop() == 0

    assert len(receiver.came) == tries
    assert len(receiver.arrived) == 1
    assert len({mail.body for mail in receiver.came}) == 1
    assert {mail.path for mail in receiver.came} == {"/services/T0/B0/very-secret"}
    assert undelivered(failing) == Undelivered()
    if channel is webhook:
        assert len({mail.headers["webhook-id"] for mail in receiver.came}) == 1


def test_what_slack_asks_to_wait_is_waited(failing: Project) -> None:
    with Receiver(Answer(429, {"Retry-After": "3"}), Answer()) as receiver:
        failing.runner_environment = slack(receiver)
        with failing.run() as runner, runner.client() as client:
            client.run("fail")
            receiver.until_came()
            began = time.monotonic()
            line = runner.until_line("alert is sent again later")
            receiver.until_arrived()

    assert "in=3" in line
    assert time.monotonic() - began >= 2.9


@pytest.mark.parametrize("channel", CHANNELS)
def test_what_nobody_took_waits_for_who_is_down(channel: Channel, failing: Project) -> None:
    with socket.socket() as end:
        end.bind(("127.0.0.1", 0))
        port = end.getsockname()[1]
    away = Receiver()
    down = {name: value.replace(str(away.port), str(port)) for name, value in channel(away).items()}
    away.close()
    failing.runner_environment = down
    with failing.run() as runner, runner.client() as client:
        client.run("fail")
        line = runner.until_line("alert is sent again later")
        with Receiver(port=port) as receiver:
            receiver.until_arrived()
            runner.until_line("alert sent")
            assert runner.stop() == 0

    assert "Connection refused" in line
    assert len(receiver.came) == 1


def test_what_slack_may_have_taken_is_not_sent_again_but_recorded(failing: Project) -> None:
    answered = threading.Event()
    with Receiver(Answer(when=answered), Answer()) as receiver:
        failing.runner_environment = slack(receiver)
        with failing.run() as runner, runner.client() as client:
            client.run("fail")
            line = runner.until_line("alert given up")
            assert runner.stop() == 0
        answered.set()

    assert "no answer within 5 s: it may have arrived" in line
    assert len(receiver.came) == 1
    assert undelivered(failing).given_up == 1


def test_what_a_webhook_may_have_taken_is_sent_again_as_the_same(failing: Project) -> None:
    with Receiver(Answer(0), Answer()) as receiver:
        failing.runner_environment = webhook(receiver)
        with failing.run() as runner, runner.client() as client:
            client.run("fail")
            first, second = receiver.until_came(2)
            runner.until_line("alert sent")
            assert runner.stop() == 0

    assert (first.headers["webhook-id"], first.body) == (second.headers["webhook-id"], second.body)
    assert undelivered(failing) == Undelivered()


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_runner_that_is_killed_after_a_failure_leaves_it_to_the_next_to_tell(
    channel: Channel, failing: Project
) -> None:
    settings(failing, group="1 min")  # so that it is not sent for 5 s
    with Receiver() as receiver:
        failing.runner_environment = dict(channel(receiver))
        with failing.run() as runner, runner.client() as client:
            client.run("fail")
            runner.kill()
        assert receiver.came == []
        with failing.run() as runner:
            receiver.until_arrived()
            runner.until_line("alert sent")
            assert runner.stop() == 0

    assert len(receiver.came) == 1


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_runner_that_is_killed_while_it_sends(channel: Channel, failing: Project) -> None:
    never = threading.Event()
    with Receiver(Answer(when=never), Answer()) as receiver:
        failing.runner_environment = dict(channel(receiver))
        with failing.run() as runner, runner.client() as client:
            client.run("fail")
            receiver.until_came()
            runner.kill()
        with failing.run() as runner:
            if channel is slack:
                runner.until_line("alert given up", "it may have arrived")
            else:
                receiver.until_came(2)
                runner.until_line("alert sent")
            assert runner.stop() == 0
        never.set()

    assert len({mail.headers.get("webhook-id") for mail in receiver.came}) == 1
    assert len(receiver.came) == (1 if channel is slack else 2)
    assert undelivered(failing).waiting == 0


def test_a_second_signal_does_not_wait_for_slack(failing: Project) -> None:
    never = threading.Event()
    with Receiver(Answer(when=never)) as receiver:
        failing.runner_environment = slack(receiver)
        with failing.run() as runner, runner.client() as client:
            client.run("fail")
            receiver.until_came()
            pids = runner.worker_pids()
            runner.signal()
            until(lambda: not any(map(is_alive, pids)), "nothing is left but to tell")
            runner.signal()
            assert runner.wait() == 0
        never.set()

    assert "alert given up" not in runner.output
    assert undelivered(failing).waiting == 1


def test_executions_are_as_fast_while_nobody_takes_alerts(failing: Project) -> None:
    calls = 2_000

    def seconds() -> float:
        with failing.run() as runner, runner.client() as client:
            began = time.monotonic()
            for id in [id for _ in range(2) for id in client.calls("fail", [[]] * (calls // 2))]:
                client.wait(id)
            return time.monotonic() - began

    without = min(seconds(), seconds())
    never = threading.Event()
    with Receiver(Answer(when=never)) as receiver:
        failing.runner_environment = slack(receiver) | webhook(receiver)
        hanging = min(seconds(), seconds())
        never.set()

    print(f"{calls:,} failures took {without:.2f} s without alerts, {hanging:.2f} s while nobody took them")
    assert hanging < 1.5 * without + 0.5


@pytest.mark.slow
@pytest.mark.parametrize(("functions", "most"), [(1, 5), (50, 60)])
def test_a_flood_is_a_few_messages_whose_counts_add_up(functions: int, most: int, project: Project) -> None:
    each = 10_000 // functions
    source = FAIL.replace("fail", "fail_{number}")
    project.write(**{f"fail_{number}": source.format(number=number) for number in range(functions)})
    with Receiver() as people, Receiver() as machines:
        project.runner_environment = slack(people) | webhook(machines)
        with project.run("--workers", "2") as runner, runner.client() as client:
            for _ in range(0, each, 100):
                for number in range(functions):
                    client.calls(f"fail_{number}", [[]] * min(each, 100))
            until(lambda: _failed(client.ask("counts")) == 10_000, "all failed", seconds=120)
            machines.until(lambda it: sum(sum(mail.counts) for mail in it.arrived) == 10_000, "the counts add up")
            assert runner.stop() == 0

    print(f"10,000 failures of {functions}: {len(people.came)} messages in Slack, {len(machines.came)} to the webhook")
    assert len(people.came) <= most
    assert len(machines.came) <= most
    assert sum(sum(mail.counts) for mail in machines.arrived) == 10_000


def _failed(counts: Mapping[str, Mapping[str, int]]) -> int:
    return sum(states.get("failed", 0) for states in counts.values())
