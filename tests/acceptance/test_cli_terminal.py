"""What a terminal sees, as opposed to a pipe."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import termios
from collections.abc import Mapping
from pathlib import Path

from tests.acceptance.command import DEADLINE_SECONDS, DEFER, environment


def on_a_terminal(folder: Path, *words: str, env: Mapping[str, str], columns: int = 0) -> str:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with subprocess.Popen(
        [*DEFER, *words], cwd=folder, env=environment(env), stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        shown = b""
        try:
            while data := os.read(ours, 65_536):
                shown += data
        except OSError:  # the other end is closed: how a terminal says that it is over
            pass
        finally:
            os.close(ours)
        process.wait(DEADLINE_SECONDS)
    return shown.decode()


def test_a_terminal_has_colour(project: Path) -> None:
    assert "\x1b[1m" in on_a_terminal(project, "list", env={"TERM": "xterm", "COLUMNS": "200"})


def test_no_color_is_heard(project: Path) -> None:
    assert "\x1b" not in on_a_terminal(project, "list", env={"TERM": "xterm", "NO_COLOR": "1"})
