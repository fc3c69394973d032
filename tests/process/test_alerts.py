"""People are told of failures once, with what they need to look at them; and nobody else learns anything."""

from __future__ import annotations

import base64
import json
import re
from urllib.request import urlopen

import pytest

from defer_cli.alerts.signing import signed_headers
from tests.process.harness import DEADLINE_SECONDS, FAST, Project
from tests.process.receiver import SECRET, Receiver, slack, webhook

pytestmark = pytest.mark.process

REFUSED = f"""
    @defer({FAST})
    async def deliver(address, password="hunter2"):
        note("tried", current_execution().attempt)
        if is_noted("works"):
            return
        raise ConnectionRefusedError(f"550 <!channel> <https://evil.example|{{address}}> `is` not *it*\\nmore of it")
"""


def settings(project: Project, **values: object) -> None:
    """Write the table of alerts; a window of 2 s unless it is said."""
    table = {"group": "2 s"} | values
    lines = [f"{name} = {json.dumps(value)}" for name, value in table.items()]
    (project.root / "pyproject.toml").write_text("\n".join(["[tool.defer.alerts]", *lines, ""]))


def test_a_failure_is_one_message_after_the_last_retry_with_a_link_to_its_page(project: Project) -> None:
    project.write(deliver=REFUSED)
    settings(project)
    with Receiver() as receiver:
        project.runner_environment = slack(receiver)
        with project.run("--port", "0") as runner, runner.client() as client:
            id = client.run("deliver", "eve@example.org")
            (mail,) = receiver.until_arrived()
            tried = project.noted("tried")
            (link,) = re.findall(r"<(http://[^|>]+)\|[^>]+>", mail.text)
            page = urlopen(link).read().decode()
            assert runner.stop() == 0

    assert receiver.came == [mail]
    assert tried == ["1", "2", "3"]
    assert link.endswith(f"/executions/{id}")
    assert "deliver()" in page
    assert id in page
    for fact in (
        "`deliver()` failed",
        "ConnectionRefusedError: 550",
        "raised (ER0003)",
        "src/defer/deliver.py:",
        "3 attempts",
    ):
        assert fact in mail.text
    assert project.root.name in mail.text
    assert "hunter2" not in mail.body.decode()
    assert 'eve@example.org"' not in mail.text  # an argument: only what the error says of it is told
    assert "more of it" not in mail.text


def test_what_an_error_says_is_no_markup(project: Project) -> None:
    project.write(deliver=REFUSED)
    settings(project)
    with Receiver() as receiver:
        project.runner_environment = slack(receiver)
        with project.run() as runner, runner.client() as client:
            id = client.run("deliver", "<@U1>")
            (mail,) = receiver.until_arrived()

    assert re.findall(r"<[^>]*>", mail.text) == []
    assert "&lt;!channel&gt; &lt;https://evil.example|&lt;@U1&gt;&gt; 'is' not" in mail.text
    assert f"`defer show {id}`" in mail.text  # without a console there is no link


def test_arguments_are_told_when_they_are_asked_for_and_secrets_are_masked(project: Project) -> None:
    project.write(deliver=REFUSED)
    settings(project, arguments=True, url="https://defer.example.org/")
    with Receiver() as people, Receiver() as machines:
        project.runner_environment = slack(people) | webhook(machines)
        with project.run() as runner, runner.client() as client:
            id = client.run("deliver", "eve", "hunter2")
            (mail,) = people.until_arrived()
            (machine_mail,) = machines.until_arrived()

    assert 'arguments: `"eve", "•••"`' in mail.text
    assert f"<https://defer.example.org/executions/{id}|" in mail.text
    (alert,) = machine_mail.data["data"]["alerts"]
    assert alert["execution"]["arguments"] == {"args": ["eve", "•••"], "kwargs": {}}
    assert alert["execution"]["url"] == f"https://defer.example.org/executions/{id}"


def test_a_webhook_gets_json_that_is_signed(project: Project) -> None:
    project.write(deliver=REFUSED)
    settings(project)
    with Receiver() as receiver:
        project.runner_environment = webhook(receiver)
        with project.run() as runner, runner.client() as client:
            id = client.run("deliver", "eve")
            (mail,) = receiver.until_arrived()

    at = int(mail.headers["webhook-timestamp"])
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    expected = signed_headers(key, id=mail.headers["webhook-id"], at=at, body=mail.body)
    assert mail.headers["webhook-signature"] == expected["webhook-signature"]
    assert mail.data["type"] == "alert.failure"
    (alert,) = mail.data["data"]["alerts"]
    assert (alert["function"], alert["count"], alert["execution"]["id"]) == ("deliver", 1, id)
    assert alert["execution"]["error"]["type"] == "ConnectionRefusedError"
    assert "arguments" not in alert["execution"]


def test_many_failures_are_one_message_with_their_number_and_one_note_when_it_is_over(project: Project) -> None:
    project.write(deliver=REFUSED)
    settings(project)
    with Receiver() as receiver:
        project.runner_environment = webhook(receiver)
        with project.run() as runner, runner.client() as client:
            ids = client.calls("deliver", [["eve"]] * 20)
            for id in ids:
                client.wait(id)
            (failures,) = receiver.until_arrived()
            project.note("works")
            client.run("deliver", "eve")
            client.run("deliver", "eve")
            _, recovery = receiver.until_arrived(2)
            assert runner.stop() == 0

    assert failures.counts == [20]
    assert recovery.data["type"] == "alert.recovery"
    assert recovery.data["data"]["alerts"][0]["failures"] == 20
    assert len(receiver.came) == 2


def test_a_function_that_fails_again_at_once_has_not_recovered(project: Project) -> None:
    project.write(
        moody="""
            @defer(retry=False)
            async def moody(works):
                assert works
        """
    )
    settings(project, group="30 s")
    with Receiver() as receiver:
        project.runner_environment = webhook(receiver)
        with project.run() as runner, runner.client() as client:
            for works in (False, True, False, True, False):
                client.run("moody", works)
            assert runner.stop() == 0

    (mail,) = receiver.came
    assert mail.data["type"] == "alert.failure"
    assert mail.counts == [3]


def test_nobody_is_told_of_a_function_that_says_so(project: Project) -> None:
    project.write(
        deliver=REFUSED,
        quiet="""
            @defer(retry=False, alert=False)
            async def quiet():
                raise ValueError
        """,
    )
    settings(project)
    with Receiver() as receiver:
        project.runner_environment = webhook(receiver)
        with project.run() as runner, runner.client() as client:
            client.run("quiet")
            client.run("deliver", "eve")
            receiver.until_arrived()
            assert runner.stop() == 0

    (mail,) = receiver.came
    assert [alert["function"] for alert in mail.data["data"]["alerts"]] == ["deliver"]


def test_success_is_told_where_it_is_asked_for(project: Project) -> None:
    project.note("works")
    project.write(deliver=REFUSED)
    settings(project, on=["success"])
    with Receiver() as receiver:
        project.runner_environment = slack(receiver)
        with project.run() as runner, runner.client() as client:
            client.run("deliver", "eve")
            (mail,) = receiver.until_arrived()
            project.root.joinpath("notes", "works").unlink()
            client.run("deliver", "eve")
            assert runner.stop() == 0

    assert "`deliver()` succeeded" in mail.text
    assert receiver.came == [mail]


def test_a_burst_tells_before_it_ends(project: Project) -> None:
    project.write(deliver=REFUSED.replace(FAST, "retry=False"))
    settings(project, group="1 min")
    with Receiver() as receiver:
        project.runner_environment = slack(receiver)
        project.command("trigger", "deliver", "eve").communicate(timeout=DEADLINE_SECONDS)
        assert project.burst().wait() == 1

    assert len(receiver.came) == 1


def test_addresses_are_in_no_log_no_function_and_no_error(project: Project) -> None:
    project.write(
        look="""
            @defer(retry=False)
            async def look():
                raise ValueError(str(sorted(name for name in os.environ if name.startswith("DEFER_"))))
        """
    )
    settings(project)
    with Receiver() as receiver:
        project.runner_environment = slack(receiver) | webhook(receiver) | {"DEFER_LOG_LEVEL": "debug"}
        with project.run() as runner, runner.client() as client:
            id = client.run("look")
            receiver.until_arrived(2)
            assert runner.stop() == 0

    assert "DEFER_SLACK" not in project.error(id)["message"]
    assert "DEFER_ALERT_WEBHOOK" not in project.error(id)["message"]
    everything = runner.output + "".join(
        path.read_bytes().decode("utf-8", "replace") for path in (project.root / ".defer").iterdir() if path.is_file()
    )
    assert "very-secret" not in everything
    assert "MfKQ9r8" not in everything


def test_a_variable_in_the_env_file_is_told_not_to_count(project: Project) -> None:
    project.write(deliver=REFUSED)
    (project.root / ".env").write_text("DEFER_SLACK_WEBHOOK_URL=https://hooks.slack.com/services/very-secret\n")
    with project.run() as runner:
        line = runner.until_line("a variable does not count in .env")

    assert "DEFER_SLACK_WEBHOOK_URL" in line
    assert "very-secret" not in runner.output


def test_a_runner_without_alerts_loads_nothing_of_them(project: Project) -> None:
    project.write(deliver=REFUSED)
    project.runner_environment = {"PYTHONPROFILEIMPORTTIME": "1"}
    with project.run("--port", "0") as runner:
        assert runner.stop() == 0

    assert "defer_cli.engine.dispatcher" in runner.output
    assert "slack_sdk" not in runner.output
    assert "defer_cli.alerts" not in runner.output
