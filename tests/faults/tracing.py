"""A runner whose system calls strace follows once it has loaded its code: of the ten thousand before none is asked for,
and each would stop it twice.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.process.harness import DEADLINE_SECONDS, Project, Runner

_STOPS_WHEN_LOADED = """
import ctypes, os, runpy, signal, sys
from defer_cli import assembly
from defer_cli.cli import __main__, commands, place, records, run, running
from defer_cli.discovery import discover
ctypes.CDLL(None).prctl(0x59616D61, ctypes.c_ulong(-1), 0, 0, 0)  # PR_SET_PTRACER: Yama lets others follow it
os.kill(os.getpid(), signal.SIGSTOP)
runpy.run_module("defer_cli", run_name="__main__", alter_sys=True)
"""


class TracedRunner(Runner):
    """A runner that has ended when its tracer, too, has written all down."""

    def __init__(self, process: subprocess.Popen[str], data: Path, tracer: subprocess.Popen[str]) -> None:
        super().__init__(process, data)
        self._tracer = tracer

    def wait(self, *, seconds: float = DEADLINE_SECONDS) -> int:
        code = super().wait(seconds=seconds)
        self._tracer.communicate(timeout=seconds)
        return code


class TracedProject(Project):
    """A project whose runners are traced; what they start is not."""

    def trace(self, options: Sequence[str], *arguments: str) -> TracedRunner:
        """Start a runner with these ``arguments``, and strace with these ``options``."""
        words = ["run", "--port", "off", "--project", str(self.root), *arguments]
        process = self._start([sys.executable, "-c", _STOPS_WHEN_LOADED, *words])
        stopped = os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        assert stopped is not None
        assert stopped.si_code == os.CLD_STOPPED, process.communicate()
        tracer = self._start(["strace", "-f", "-b", "execve", *options, "-p", str(process.pid)])
        assert tracer.stdout is not None
        said = tracer.stdout.readline()
        assert "attached" in said, said
        process.send_signal(signal.SIGCONT)
        return TracedRunner(process, self.data, tracer)
