"""Process 1 of a container: passes signals on, and waits for every process that its parent has left behind."""

from __future__ import annotations

import os
import signal

_PASSED_ON = {
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGWINCH,
}
_BY_KERNEL = 128  # SI_KERNEL: man 2 sigaction
_has_left = False


def leave_first_process() -> None:
    """Return in a child of this process; process 1 itself stays behind, and ends as the child does.

    The kernel treats process 1 as no other: a signal without a handler does nothing, and it inherits whatever a
    function has left running. Were that waited for by the runner, it could take the end of a worker from those who
    know it. The child is forked before anything else is loaded or started.
    """
    global _has_left
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _PASSED_ON | {signal.SIGCHLD})
    child = os.fork()
    if child:
        os._exit(_watch(child))
    _has_left = True
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


def has_left_first_process() -> bool:
    """Return whether this process was started as the first one of a container: its number means nothing outside."""
    return _has_left


def _watch(child: int) -> int:
    """Pass on signals until ``child`` has ended; return its exit code."""
    while True:
        came = signal.sigwaitinfo(_PASSED_ON | {signal.SIGCHLD})
        if came.si_signo == signal.SIGCHLD:
            code = _wait_for_all(child)
            if code is not None:
                return code
        elif came.si_code != _BY_KERNEL:  # what is typed at a terminal reaches its whole group
            os.kill(child, came.si_signo)


def _wait_for_all(child: int) -> int | None:
    """Wait for every process that has ended; return the exit code of ``child`` if it is one of them."""
    found: int | None = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if pid == 0:
            return found
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            found = code if code >= 0 else 128 - code
