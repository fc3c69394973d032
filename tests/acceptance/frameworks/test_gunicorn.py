"""Calls before and after Gunicorn's fork: each arrives once, over a connection of its process's own."""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.acceptance.frameworks.serving import Server, Site
from tests.process.harness import until

pytestmark = pytest.mark.process
WORKERS = 3
COMMAND = f"gunicorn --preload --workers {WORKERS} --chdir src gunicorn_app:app"
OPTIONS = "--no-control-socket", "--bind", "127.0.0.1:{port}"


def test_calls_of_the_master_and_of_its_workers_arrive_once_each(site: Site) -> None:
    site.with_runner()
    with site.serving(COMMAND, *OPTIONS) as server:
        answered = requests_to_all(server)
        connections = [unix_sockets(pid) for pid in (server.process.pid, *answered)]

    site.until_letters("everybody", *(f"member {number}" for number in range(50)))
    site.until_letters(*(name for names in answered.values() for name in names))
    assert [len(sockets) for sockets in connections] == [1] * (1 + WORKERS)
    assert len(set.union(*connections)) == 1 + WORKERS


def requests_to_all(server: Server) -> dict[int, list[str]]:
    """Send requests until each worker has answered three; return the names they welcomed, by process."""
    answered: defaultdict[int, list[str]] = defaultdict(list)
    number = 0

    def ask(name: str) -> tuple[int, str]:
        reply = server.post(f"/pid/{quote(name)}")
        assert reply.status == 200, server.output
        return reply.data["pid"], name

    def have_all() -> bool:
        nonlocal number
        names = [f"visitor {number + n}" for n in range(2 * WORKERS)]
        number += len(names)
        for pid, name in crowd.map(ask, names):
            answered[pid].append(name)
        return len(answered) == WORKERS and all(len(names) >= 3 for names in answered.values())

    with ThreadPoolExecutor(2 * WORKERS) as crowd:
        until(have_all, "each worker answers")
    return answered


def unix_sockets(pid: int) -> set[str]:
    """Return the Unix sockets a process has open; the only one of an app is its connection to the runner."""
    known = {line.split()[6] for line in Path("/proc/net/unix").read_text().splitlines()[1:]}
    links = [str(path.readlink()) for path in Path(f"/proc/{pid}/fd").iterdir()]
    return {link[8:-1] for link in links if link.startswith("socket:")} & known
