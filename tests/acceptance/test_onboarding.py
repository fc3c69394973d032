"""Defer's own example of a workflow, written as its user would: two steps at once, then a reminder for later."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.command import DEADLINE_SECONDS, defer, environment, living

IMPORT_CONTACTS = """
from defer_cli import defer
from steps import begin, until_begun

@defer(concurrency=10)
async def import_contacts_from_hubspot(user_id: int) -> int:
    begin("import")
    await until_begun("welcome")
    return 3
"""

SEND_WELCOME = """
from defer_cli import defer
from steps import begin, until_begun

@defer
async def send_welcome_email(address: str) -> str:
    begin("welcome")
    await until_begun("import")
    return f"welcome, {address}"
"""

SEND_TUTORIALS = """
from defer_cli import defer
from steps import begin

@defer(retry=5)
async def send_tutorials_email_if_no_actions(user_id: int) -> None:
    begin("tutorials")
"""

USER_ONBOARDING = """
import asyncio
from typing import Any

from defer_cli import assign_options, await_result, defer
from .import_contacts_from_hubspot import import_contacts_from_hubspot
from .send_tutorials_email_if_no_actions import send_tutorials_email_if_no_actions
from .send_welcome_email import send_welcome_email

@defer
async def user_onboarding(user: dict[str, Any], give_up_after: str) -> dict[str, Any]:
    contacts, welcome = await asyncio.gather(
        await_result(import_contacts_from_hubspot)(user["id"]),
        await_result(send_welcome_email)(user["address"]),
    )
    remind = assign_options(
        send_tutorials_email_if_no_actions,
        delay="2 seconds",
        discard_after=give_up_after,
        metadata={"user": str(user["id"])},
    )
    reminder = await remind(user["id"])
    return {"contacts": contacts, "welcome": welcome, "reminder": reminder.id}
"""

STEPS = """
import asyncio
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "begun"

def begin(step: str) -> None:
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / step).touch()

async def until_begun(step: str) -> None:
    while not (FOLDER / step).exists():
        await asyncio.sleep(0.01)
"""

APP = """
import asyncio
import json
import sys

from defer.user_onboarding import user_onboarding
from defer_cli import DeferError, await_result, get_execution, get_execution_result, reschedule_execution

async def main(give_up_after: str, when: str) -> None:
    done = await await_result(user_onboarding)({"id": 12, "address": "ada@example.com"}, give_up_after)
    reminder = await reschedule_execution(done["reminder"], when)
    told = done | {"rescheduled": str(reminder.state), "is_ahead": reminder.scheduled_at > reminder.created_at}
    while not (reminder := await get_execution(reminder.id)).state.is_final:
        await asyncio.sleep(0.05)
    told["state"] = reminder.state
    told["was_started"] = reminder.started_at is not None
    for ask in (get_execution_result, reschedule_execution):
        try:
            told[ask.__name__] = await ask(reminder.id)
        except DeferError as error:
            told[ask.__name__] = f"{type(error).__name__}: {error}"
    print(json.dumps(told))

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Path]:
    """Return a project with the workflow, and a runner beside it."""
    folder = tmp_path / "src" / "defer"
    folder.mkdir(parents=True)
    for name, source in {
        "__init__": "",
        "import_contacts_from_hubspot": IMPORT_CONTACTS,
        "send_welcome_email": SEND_WELCOME,
        "send_tutorials_email_if_no_actions": SEND_TUTORIALS,
        "user_onboarding": USER_ONBOARDING,
    }.items():
        (folder / f"{name}.py").write_text(source.lstrip())
    (tmp_path / "src" / "steps.py").write_text(STEPS.lstrip())
    (tmp_path / "src" / "app.py").write_text(APP.lstrip())
    with living(tmp_path, "run", "--port", "off", "--workers", "1", "--slots", "3", ready="runner ready"):
        yield tmp_path


def onboard(shop: Path, give_up_after: str, when: str) -> dict[str, Any]:
    """Run the application; return what it tells."""
    done = subprocess.run(
        [sys.executable, "src/app.py", give_up_after, when],
        cwd=shop,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_a_user_is_onboarded_and_a_reminder_moved_beyond_its_last_moment_is_discarded(shop: Path) -> None:
    told = onboard(shop, "4 seconds", "1h")
    reminder = told["reminder"]
    begun = {path.name for path in (shop / "begun").iterdir()}
    listed = defer(shop, "executions", "--metadata", "user=12", "--json")

    assert (told["contacts"], told["welcome"]) == (3, "welcome, ada@example.com")
    assert (told["rescheduled"], told["is_ahead"]) == ("created", True)
    assert (told["state"], told["was_started"]) == ("discarded", False)
    assert told["get_execution_result"].startswith("ExecutionResultNotAvailable: ")
    assert "was discarded" in told["get_execution_result"]
    assert told["reschedule_execution"].startswith("ExecutionNotReschedulable: ")
    assert "in discarded state" in told["reschedule_execution"]
    assert begun == {"import", "welcome"}
    assert reminder in listed.out


def test_a_reminder_moved_to_now_is_sent(shop: Path) -> None:
    told = onboard(shop, "7 days", "0s")

    assert (told["state"], told["was_started"], told["get_execution_result"]) == ("succeed", True, None)
    assert (shop / "begun" / "tutorials").exists()
