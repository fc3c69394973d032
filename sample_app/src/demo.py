"""The demo: run the weekly cron once, now, watch its mails go out, and say what came of it."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from dotenv import load_dotenv

from marketplace import shop
from marketplace.delivery import outbox

APP = Path(__file__).resolve().parents[1]
LOG = APP / ".defer" / "demo.log"
DEFER = [sys.executable, "-m", "defer_cli"]
RUN = ["run", "--project", str(APP), "--burst", "--trigger", "weekly_product_recommendations"]
SURROUNDINGS = ["--port", "off", "--log-format", "logfmt"]  # whatever listens or is set elsewhere, the demo runs
SUCCESS = b'message="execution succeeded" function=compute_product_recommendation '

TERMINAL_SECONDS, PIPE_SECONDS = 0.1, 2.0
TAIL_LINES = 15


class Tally:
    """Counts the mails that a growing log reports as sent."""

    def __init__(self, log: BinaryIO) -> None:
        self._log = log
        self._unfinished_line = b""
        self.sent = 0

    def update(self) -> None:
        *lines, self._unfinished_line = (self._unfinished_line + self._log.read()).split(b"\n")
        self.sent += sum(SUCCESS in line for line in lines)


def main(command: Sequence[str] = (*DEFER, *RUN, *SURROUNDINGS)) -> int:
    """Run the demo; return 0 when every user who opted in got a mail, 130 when interrupted, else 1."""
    load_dotenv(APP / ".env")
    users = shop.ratings().opted_in()
    empty_outbox()
    LOG.parent.mkdir(mode=0o700, exist_ok=True)
    began = time.monotonic()
    with LOG.open("wb") as log, LOG.open("rb") as reader:
        # In a session of its own: Ctrl-C reaches the demo alone, which then asks the runner once.
        runner = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        tally = Tally(reader)
        try:
            watch(runner, tally, len(users))
        except KeyboardInterrupt:
            print("\nstopping; what was not sent stays queued for the next run", flush=True)
            stop(runner)
            return 130
        finally:
            tally.update()

    by_smtp = bool(os.environ.get("SMTP_URL"))
    delivered = min(tally.sent, len(users)) if by_smtp else sum((outbox() / f"{user}.eml").exists() for user in users)
    missing = len(users) - delivered
    print(f"users who opted in  {len(users):>6,}")
    print(f"mails delivered     {delivered:>6,}")
    print(f"failed or waiting   {missing:>6,}")
    if tally.sent > len(users):
        print(f"queued before       {tally.sent - len(users):>6,}  (sent too)")
    print(f"seconds             {time.monotonic() - began:>6.1f}")
    print(f"the mails           {'sent to the server of SMTP_URL' if by_smtp else short(outbox())}")
    if runner.returncode == 0 and not missing:
        return 0
    explain(runner.returncode)
    return 1


def watch(runner: subprocess.Popen[bytes], tally: Tally, users: int) -> None:
    """Show how far the runner is until it ends: one line redrawn on a terminal, few lines elsewhere."""
    live = sys.stdout.isatty()
    while runner.poll() is None:
        try:
            runner.wait(TERMINAL_SECONDS if live else PIPE_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        tally.update()
        print(f"{tally.sent:>6,} of {users:,} mails sent", end="\r" if live else "\n", flush=True)
    if live:
        print()


def stop(runner: subprocess.Popen[bytes]) -> None:
    """Ask the runner to end and wait for it; a second Ctrl-C insists."""
    runner.terminate()
    try:
        runner.wait()
    except KeyboardInterrupt:
        runner.terminate()
        runner.wait()


def empty_outbox() -> None:
    """Delete the mails of earlier runs and the drafts of killed ones, nothing else."""
    for pattern in ("[0-9]*.eml", ".[0-9]*.eml.*"):
        for mail in outbox().glob(pattern):
            mail.unlink()


def explain(exit_code: int) -> None:
    """Show what the runner said last, and the commands that tell more."""
    lines = LOG.read_text(errors="replace").splitlines()
    telling = [line for line in lines if not line.startswith("level=info ")] or lines
    print(f"\nNot every mail went out (the runner ended with {exit_code}). From {short(LOG)}:")
    for line in telling[-TAIL_LINES:]:
        print(f"  {line}")
    look = shlex.join([short(Path(sys.executable)), *DEFER[1:], "executions", "--project", short(APP)])
    print(f"\nTo look further:\n  {look} --state failed\n  {look} --state created")


def short(path: Path) -> str:
    """Return the path as seen from the working directory, when it lies below."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
