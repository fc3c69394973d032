"""The sample app tells in Slack whom it could not mail, and the link in the message opens that very execution."""

from __future__ import annotations

import asyncio
import gzip
import re
import shutil
from pathlib import Path
from threading import Event
from typing import Any

from playwright.async_api import expect

from defer_cli.domain.states import State
from tests.browser.conftest import Browse
from tests.browser.consoles import Console
from tests.browser.test_execution import is_shown
from tests.process.harness import DEADLINE_SECONDS, FAST, Project, until
from tests.process.receiver import Receiver, slack
from tests.sample_app.postbox import Postbox, listening

APP = Path(__file__).parents[2] / "sample_app"
FUNCTION = "compute_product_recommendation"
ROWS = 300


class Choosy(Postbox):
    """Takes no mail for whoever was named first, however often it is tried; says so once ``others_are_done``.

    A success that comes after the failure is told too, and rightly: the function succeeds again.
    """

    refused: str | None = None

    def __init__(self) -> None:
        super().__init__()
        self.others_are_done = Event()

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        self.refused = self.refused or address
        if address == self.refused:
            await asyncio.to_thread(self.others_are_done.wait, DEADLINE_SECONDS)
            return f"550 mail for {address} is refused"
        return await super().handle_RCPT(server, session, envelope, address, options)


def write_app(project: Project) -> None:
    """Copy the app with its first ratings, and let Smart Retry run its course in a moment."""
    shutil.copytree(APP / "src", project.root / "src", ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    (project.root / "data").mkdir()
    with gzip.open(APP / "data" / "ratings.csv.gz", "rt") as whole:
        head = "".join(line for _, line in zip(range(ROWS + 1), whole, strict=False))
    (project.root / "data" / "ratings.csv.gz").write_bytes(gzip.compress(head.encode()))
    function = project.folder / f"{FUNCTION}.py"
    function.write_text(function.read_text().replace("@defer(concurrency=20)", f"@defer(concurrency=20, {FAST})"))
    (project.root / "pyproject.toml").write_text('[tool.defer.alerts]\ngroup = "2 s"\n')


async def test_who_could_not_be_mailed_is_one_message_that_leads_there(project: Project, browse: Browse) -> None:
    write_app(project)
    postbox = Choosy()
    with listening(postbox) as port, Receiver() as receiver:
        project.runner_environment = slack(receiver) | {"SMTP_URL": f"smtp://127.0.0.1:{port}"}
        with project.run("--port", "0") as runner:
            console = Console(project, runner)
            others = project.result(console.run("weekly_product_recommendations")) - 1
            until(lambda: project.counts().get((FUNCTION, State.SUCCEED)) == others, "all others are mailed")
            assert not receiver.came
            postbox.others_are_done.set()
            (mail,) = receiver.until_arrived()
            (link,) = re.findall(r"<(http://[^|>]+)\|see the execution>", mail.text)
            page = await browse(console, link)
            await is_shown(page, FUNCTION, "failed")
            await expect(page.locator("main")).to_contain_text(f"mail for {postbox.refused} is refused")
            console.close()
            assert runner.stop() == 0

    assert receiver.came == [mail]
    assert len(postbox.mails) == others > 0
    for fact in (
        f"`{FUNCTION}()` failed",
        str(postbox.refused),
        "3 attempts",
        "src/marketplace/delivery.py:",
        "raised (ER0003)",
    ):
        assert fact in mail.text
    assert link.startswith(f"{runner.url}/executions/")
