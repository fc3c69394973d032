"""The sample app as a user runs it, with the library, on a few of its users."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
from email import message_from_bytes
from pathlib import Path

import pytest

from marketplace.ratings import read_ratings

pytestmark = pytest.mark.process

ROWS = 1_000


@pytest.fixture
def copy(app: Path, tmp_path: Path) -> Path:
    """A copy of the app that has only the first ratings."""
    copy = tmp_path / "sample_app"
    shutil.copytree(app, copy, ignore=shutil.ignore_patterns(".defer", "outbox", "__pycache__", "data"))
    (copy / "data").mkdir()
    with gzip.open(app / "data" / "ratings.csv.gz", "rt") as whole:
        head = "".join(line for _, line in zip(range(ROWS + 1), whole, strict=False))
    (copy / "data" / "ratings.csv.gz").write_bytes(gzip.compress(head.encode()))
    return copy


def run(copy: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in {"OUTBOX", "SMTP_URL"} and not name.startswith("DEFER_")
    }
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=copy,
        env=inherited | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=100,
        check=False,
    )


def message_ids(copy: Path) -> dict[int, str]:
    return {
        int(mail.stem): message_from_bytes(mail.read_bytes())["Message-ID"] for mail in (copy / "outbox").glob("*.eml")
    }


def test_the_demo_mails_every_user_who_opted_in(copy: Path) -> None:
    demo = run(copy, "src/demo.py")

    assert demo.returncode == 0, demo.stdout
    assert sorted(message_ids(copy)) == read_ratings(copy / "data" / "ratings.csv.gz").opted_in()


def test_each_demo_sends_mails_of_its_own(copy: Path) -> None:
    run(copy, "src/demo.py")
    first = message_ids(copy)

    again = run(copy, "src/demo.py")

    assert again.returncode == 0, again.stdout
    assert message_ids(copy).keys() == first.keys()
    assert not set(message_ids(copy).values()) & set(first.values())


def test_a_call_that_was_queued_before_does_not_disturb_the_demo(copy: Path) -> None:
    run(copy, "src/app.py", "1")

    demo = run(copy, "src/demo.py")

    assert demo.returncode == 0, demo.stdout
    assert "queued before            1  (sent too)" in demo.stdout


def test_the_demo_fails_and_says_why_when_no_mail_can_be_sent(copy: Path) -> None:
    demo = run(copy, "src/demo.py", SMTP_URL="localhost")

    assert demo.returncode == 1
    assert "SMTP_URL has an unknown scheme" in demo.stdout


def test_a_call_from_the_script_runs_once_a_runner_is_there(copy: Path) -> None:
    call = run(copy, "src/app.py", "1")

    run(copy, "-m", "defer_cli", "run", "--burst", "--port", "off")

    assert message_ids(copy) == {1: f"<{call.stdout.strip()}@marketplace.example>"}
