"""What the demo makes of its runner: here a script that stands in for it."""

from __future__ import annotations

import io
import subprocess
import sys
import time
from pathlib import Path

import pytest

import demo
from marketplace import shop

OPTED_IN = shop.ratings().opted_in()
USERS = len(OPTED_IN)
SUCCESS = 'level=info message="execution succeeded" function=compute_product_recommendation id=01h attempt=1'


def runner(script: str) -> list[str]:
    return [sys.executable, "-c", script]


def sending(mails: int, *, exit_code: int = 0) -> list[str]:
    return runner(f"for _ in range({mails}): print({SUCCESS!r})\nraise SystemExit({exit_code})")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(demo, "LOG", tmp_path / ".defer" / "demo.log")
    monkeypatch.setattr(demo, "PIPE_SECONDS", 0.05)
    monkeypatch.setenv("OUTBOX", str(tmp_path / "outbox"))
    monkeypatch.delenv("SMTP_URL", raising=False)
    (tmp_path / "outbox").mkdir()
    return tmp_path / "outbox"


@pytest.fixture
def by_smtp(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMTP_URL", "smtp://localhost")


def test_only_successes_of_the_function_count() -> None:
    log = f"{SUCCESS}\n{SUCCESS.replace('compute_', 'weekly_')}\n{SUCCESS.replace('succeeded', 'failed')}\n"
    tally = demo.Tally(io.BytesIO(log.encode()))

    tally.update()

    assert tally.sent == 1


def test_a_line_that_comes_in_two_pieces_counts_once() -> None:
    log = io.BytesIO()
    tally = demo.Tally(log)
    for piece in (SUCCESS[:40], SUCCESS[40:] + "\n"):
        at = log.tell()
        log.write(piece.encode())
        log.seek(at)
        tally.update()

    assert tally.sent == 1


def test_the_demo_succeeds_when_every_user_got_a_mail(by_smtp: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert demo.main(sending(USERS)) == 0
    assert f"mails delivered      {USERS:,}" in capsys.readouterr().out


def test_the_demo_fails_when_a_mail_is_missing(by_smtp: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert demo.main(sending(USERS - 1)) == 1
    assert "failed or waiting        1" in capsys.readouterr().out


def test_the_demo_fails_with_its_runner(by_smtp: None) -> None:
    assert demo.main(sending(USERS, exit_code=1)) == 1


def test_a_failed_demo_shows_what_went_wrong_and_how_to_look_further(capsys: pytest.CaptureFixture[str]) -> None:
    demo.main(runner(f"print({SUCCESS!r}); print('level=error message=\"no luck\"'); raise SystemExit(1)"))

    shown = capsys.readouterr().out
    assert '  level=error message="no luck"\n' in shown
    assert "-m defer_cli executions --project" in shown
    assert SUCCESS not in shown


def test_mails_in_the_outbox_are_counted_whatever_the_log_says(folder: Path) -> None:
    write = f"import pathlib\nfor user in {OPTED_IN}: pathlib.Path({str(folder)!r}, f'{{user}}.eml').touch()"

    assert demo.main(runner(write)) == 0


def test_the_demo_empties_the_outbox_and_leaves_other_files(folder: Path) -> None:
    for name in ("1.eml", ".1.eml.x7", "notes.txt"):
        (folder / name).touch()

    demo.main(runner("pass"))

    assert [path.name for path in folder.iterdir()] == ["notes.txt"]


def test_an_interrupted_demo_lets_its_runner_finish_politely(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(runner: subprocess.Popen[bytes], tally: demo.Tally, users: int) -> None:
        while not tally.sent and runner.poll() is None:
            time.sleep(0.01)
            tally.update()
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "watch", interrupt)
    polite = f"""
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
print({SUCCESS!r}, flush=True)
signal.sigwait([signal.SIGTERM])
print("drained", flush=True)
"""

    assert demo.main(runner(polite)) == 130
    assert demo.LOG.read_text().endswith("drained\n")
