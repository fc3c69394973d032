"""W8: how long a person waits: the import, `defer list`, the ready line of `defer dev`, a save going live."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from benchmarks.harness import DEADLINE_SECONDS, Project, Row, median, project, spread

_LIVE = """import asyncio, sys
sys.path.insert(0, "src")
from defer_cli import await_result
from defer.version import version

async def main():
    wanted = sys.argv[1]
    print("ready", flush=True)
    while await await_result(version)() != wanted:
        pass
    print("live", flush=True)

asyncio.run(main())
"""
_VERSION = """from defer_cli import defer

@defer
async def version() -> str:
    return "{text}"
"""


def _seconds(*command: str, cwd: Path | None = None) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began


def import_over_bare_ms(runs: int) -> float:
    """Return what importing the library adds to starting Python."""
    bare = median([_seconds(sys.executable, "-c", "pass") for _ in range(runs * 3)])
    loaded = median([_seconds(sys.executable, "-c", "import defer_cli") for _ in range(runs * 3)])
    return (loaded - bare) * 1e3


def init(made: Project) -> None:
    """Write what `defer init` writes."""
    subprocess.run(
        [sys.executable, "-m", "defer_cli", "init", "--project", str(made.root)], check=True, capture_output=True
    )


def list_ms(made: Project) -> float:
    """Return the time of `defer list`."""
    return _seconds(sys.executable, "-m", "defer_cli", "list", "--project", str(made.root)) * 1e3


def ready_and_live_ms(made: Project) -> tuple[float, float]:
    """Return the time to the ready line of `defer dev`, and from a save to the first answer of the new code."""
    log = made.root / "dev.log"
    made.write("version", _VERSION.format(text="old"))
    began = time.perf_counter()
    with log.open("wb") as out:
        dev = subprocess.Popen(
            [sys.executable, "-m", "defer_cli", "dev", "--project", str(made.root), "--workers", "2"],
            stdout=out,
            stderr=out,
            env=os.environ | {"NO_COLOR": "1"},
        )
    try:
        while not re.search(rb"ready", log.read_bytes()):
            time.sleep(0.002)
        ready = time.perf_counter() - began
        (made.root / "asker.py").write_text(_LIVE)
        asker = subprocess.Popen([sys.executable, "asker.py", "new"], cwd=made.root, stdout=subprocess.PIPE, text=True)
        assert asker.stdout is not None
        asker.stdout.readline()
        patience = threading.Timer(DEADLINE_SECONDS, asker.kill)
        patience.start()
        fresh = made.root / "version.new"
        fresh.write_text(_VERSION.format(text="new"))
        saved = time.perf_counter()
        fresh.rename(made.root / "src" / "defer" / "version.py")
        said = asker.stdout.readline()
        live = time.perf_counter() - saved
        patience.cancel()
        assert said == "live\n", f"the save was not live within {DEADLINE_SECONDS:.0f} s"
        asker.wait(10)
    finally:
        dev.send_signal(signal.SIGTERM)
        dev.wait(30)
    return ready * 1e3, live * 1e3


def measure(runs: int) -> list[Row]:
    """Return the rows of W8."""
    rows = [Row("W8", "import defer_cli, over bare Python", f"{import_over_bare_ms(runs):.0f} ms", goal="≤ 60 ms")]
    with project({}) as made:
        init(made)
        lists = [list_ms(made) for _ in range(runs)]
        both = [ready_and_live_ms(made) for _ in range(runs)]
    for what, values, goal in (
        ("defer list", lists, "≤ 350 ms"),
        ("defer dev to its ready line", [ready for ready, _ in both], "≤ 1,000 ms"),
        ("a save to live", [live for _, live in both], "≤ 500 ms"),
    ):
        rows.append(Row("W8", what, f"{median(values):.0f} ms", spread(values, " ms"), "", goal))
    return rows
