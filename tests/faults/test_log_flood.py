"""A function that prints without end holds up no neighbour, and fills the disk no further than its cap."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from statistics import median, quantiles

import pytest

from defer_cli.domain.states import State
from defer_cli.workers.logs import MOST_BYTES, MOST_LINES
from tests.faults.figures import is_whole, rounds, tell
from tests.process.harness import Client, Project

pytestmark = [pytest.mark.process, pytest.mark.fault, pytest.mark.timed, pytest.mark.timeout(600)]

FLOODS = {
    "lines": 'print("a line of the flood, number", n)',
    "without_newline": 'print("x" * 100, end="")',
    "no_text": r'sys.stdout.buffer.write(b"\xff\xfe\x80 is no text \xc3\n")',
}
COUNT = rounds(50_000, 1_000_000)
SIZES = {
    "lines": f"{COUNT:,} lines",
    "without_newline": f"{COUNT // 10_000:,} MB without a newline",
    "no_text": f"{COUNT:,} lines of bytes that are no text",
}
CALM = """
    @defer
    async def calm():
        note("flooding")
        await until_noted("measured")
"""
FLOOD = """
    @defer
    async def {name}():
        note("flooding")
        n = 0
        while n < {count} or not is_noted("measured"):
            {print}
            n += 1
            if n % 100 == 0:
                await asyncio.sleep(0)
"""
SILENT = "sum(range(100))"
"""Takes as long as a print, and prints nothing: beside it a neighbour in the same worker waits for the interpreter."""
NEIGHBOUR = """
    @defer
    async def neighbour():
        print("said by a neighbour")
"""
LANES = 4
PACE_SECONDS = 0.04
"""So often each lane calls; a call that is late counts from when it should have been made."""
CALLS = rounds(25, 125)
"""Of each lane, beside one flood."""
PAIRS = rounds(1, 5)
MOST_TIMES = 2.0
"""Of a neighbour's p99 without the flood; in the same worker, of that beside a function that only computes."""
MOST_STORED = 3 * MOST_BYTES
"""What the database may grow by one flood: what is kept of it, and pages of our own."""


def project_of_floods(project: Project) -> None:
    lines = {"silent": SILENT, **FLOODS}
    floods = {name: FLOOD.format(name=name, print=line, count=COUNT) for name, line in lines.items()}
    project.write(calm=CALM, neighbour=NEIGHBOUR, **floods)


def milliseconds_of(client: Client, begin: float) -> Iterator[float]:
    """Call a neighbour again and again; yield how long each took, from the call to its end."""
    for number in range(CALLS):
        at = begin + number * PACE_SECONDS
        time.sleep(max(at - time.monotonic(), 0))
        id = client.call("neighbour")
        assert client.wait(id) == State.SUCCEED
        yield (time.monotonic() - at) * 1_000


def p99_beside(project: Project, clients: list[Client], name: str) -> tuple[float, str]:
    """Return the 99th percentile of how long neighbours took beside a function, in milliseconds, and its id."""
    id = clients[0].call(name)
    project.until_noted("flooding")
    begin = time.monotonic() + PACE_SECONDS
    begins = [begin + lane * PACE_SECONDS / LANES for lane in range(LANES)]
    with ThreadPoolExecutor(LANES) as lanes:
        found = [one for lane in lanes.map(lambda *of: list(milliseconds_of(*of)), clients, begins) for one in lane]
    project.note("measured")
    assert clients[0].wait(id) == State.SUCCEED
    for note in ("flooding", "measured"):
        (project.notes / note).unlink()
    return quantiles(found, n=100)[-1], id


@pytest.mark.parametrize("workers", [2, 1], ids=["another_worker", "the_same_worker"])
def test_a_flood_holds_up_no_neighbour(project: Project, workers: int) -> None:
    project_of_floods(project)
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in FLOODS}
    floods: list[str] = []
    with project.run("--workers", str(workers)) as runner, ExitStack() as opened:
        clients = [opened.enter_context(runner.client()) for _ in range(LANES)]
        for _ in range(PAIRS):
            calm, _ = p99_beside(project, clients, "calm")
            silent, _ = p99_beside(project, clients, "silent")
            for name, pairs in found.items():
                flooded, id = p99_beside(project, clients, name)
                pairs.append((flooded, silent, calm))
                floods.append(id)
        stored = sum(file.stat().st_size for file in project.data.glob("defer.db"))
    kept = [project.lines(id) for id in floods]

    ratios = {}
    for name, pairs in found.items():
        flooded, silent, calm = (median(of) for of in zip(*pairs, strict=True))
        ratios[name] = median(pair[0] / pair[2 if workers > 1 else 1] for pair in pairs)
        tell(
            14,
            fault=f"{SIZES[name]}, neighbours in {'another' if workers > 1 else 'the same'} worker",
            runs=PAIRS,
            found=f"their p99 is {flooded:.1f} ms, beside what only waits {calm:.1f} ms, "
            f"beside what computes as much and prints nothing {silent:.1f} ms; "
            f"median of pairs: {ratios[name]:.2f} times the {'first' if workers > 1 else 'second'}",
        )
    assert max(len(lines) for lines in kept) <= MOST_LINES + 1
    assert max(sum(len(line.encode()) for line in lines) for lines in kept) <= MOST_BYTES + 100
    assert all(lines for lines in kept)
    assert stored < MOST_STORED * len(floods)
    if is_whole():
        assert {name: ratio for name, ratio in ratios.items() if ratio > MOST_TIMES} == {}
