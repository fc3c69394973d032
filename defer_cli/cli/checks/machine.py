"""The machine: Python, SQLite, limits, memory, the port."""

from __future__ import annotations

import os
import platform
import resource
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

from defer_cli import __version__
from defer_cli.cli.checks.findings import Finding, ok, problem, warning
from defer_cli.domain.settings import Settings
from defer_cli.domain.size import size_in_words

MEGABYTE = 1_000_000
_FILES_FOR_A_CROWD = 4096
_WORKER_BYTES = 60 * MEGABYTE
"""What one worker takes before it has imported anything of the user's, generously."""


def check_versions() -> Iterator[Finding]:
    """Tell which defer, Python and SQLite these are."""
    from defer_cli.store.sqlite.examining import LEAST_LIBRARY, LIBRARY_VERSION, has_safe_log, is_new_enough

    yield ok("defer", f"{__version__} in {Path(__file__).parents[2]}")
    yield ok("python", f"{platform.python_version()}, {sys.executable}")
    if not is_new_enough():
        yield problem(
            "sqlite",
            f"{LIBRARY_VERSION}; defer needs {LEAST_LIBRARY}",
            "use a Python that is built with a newer SQLite",
        )
    elif has_safe_log():
        yield ok("sqlite", LIBRARY_VERSION)
    else:
        yield ok("sqlite", f"{LIBRARY_VERSION}; its WAL-reset fault needs two writers, and defer has one")


def check_limits(settings: Settings) -> Iterator[Finding]:
    """Tell how many files may be open, and how much memory there is for the workers."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < _FILES_FOR_A_CROWD:
        yield warning(
            "open files",
            f"at most {hard:,}: each process that calls takes one of the runner's",
            f"allow {_FILES_FOR_A_CROWD:,}: LimitNOFILE= of its unit, or `ulimit -n`",
        )
    else:
        yield ok("open files", f"{_limit_words(soft)}; a runner takes up to {_FILES_FOR_A_CROWD:,}")
    available = _available_memory()
    if available is None:
        return
    needed = _WORKER_BYTES * (settings.workers + 1)
    workers = "1 worker" if settings.workers == 1 else f"{settings.workers:,} workers"
    if available < needed:
        yield warning(
            "memory",
            f"{size_in_words(available)} free for {workers} and a runner",
            "use fewer with --workers, or give it more: a worker that runs out of memory is killed",
        )
    else:
        yield ok("memory", f"{size_in_words(available)} free for {workers}")


def check_port(settings: Settings) -> Iterator[Finding]:
    """Tell whether the port is free."""
    if settings.port is None:
        yield ok("port", "off: no API and no console")
        return
    if settings.port == 0:
        yield ok("port", "any free one")
        return
    where = f"{settings.host}:{settings.port}"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as end:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            end.bind(address)
    except OSError as error:
        yield warning(
            "port",
            f"{where} cannot be had: {(error.strerror or str(error)).lower()}; this version serves nothing there",
            "keep another one for defer: --port, DEFER_PORT, or `port` in [tool.defer]",
        )
    else:
        yield ok("port", f"{where} is free; this version serves nothing there yet")


def _limit_words(limit: int) -> str:
    return "no limit" if limit == resource.RLIM_INFINITY else f"{limit:,}"


def _available_memory() -> int | None:
    """Return how many bytes may still be taken: of the machine, and of the control group that this process is in."""
    free = [size for size in (_of_the_machine(), _of_the_group()) if size is not None]
    return min(free, default=None)


def _of_the_machine() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)


def _of_the_group() -> int | None:
    try:
        name = Path("/proc/self/cgroup").read_text(encoding="utf-8").strip().rpartition("::")[2]
        group = Path(f"/sys/fs/cgroup{name}")
        most, used = (int((group / f"memory.{kind}").read_text(encoding="ascii")) for kind in ("max", "current"))
    except (OSError, ValueError):  # no limit is the word "max"
        return None
    return max(most - used, 0)


def free_bytes(folder: str) -> int:
    """Return how much a user other than root may still write there."""
    space = os.statvfs(folder)
    return space.f_bavail * space.f_frsize
