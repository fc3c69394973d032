"""W10: enqueues over HTTP from 32 kept connections, each on disk before it is answered, beside a bare echo."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.harness import Row, median, project, runner, spread, wait_for
from benchmarks.throughput import SILENT

_SECONDS = 5
_CONNECTIONS = 32
_BATCH = 500
_LATER = "2099-01-01T00:00:00.000Z"
"""Nothing is to run: what is measured is the way of a call to the disk."""
_CALL = f'{{"function_name":"noop","function_arguments":[],"schedule_for":"{_LATER}"}}'
_ECHO = """
import asyncio, socket, sys
import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

async def echo(request):
    return JSONResponse(await request.json(), 201)

app = Starlette(routes=[Route("/public/v2/executions", echo, methods=["PUT"])])
server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, http="httptools", loop="asyncio"))
asyncio.run(server.serve(sockets=[socket.socket(fileno=int(sys.argv[1]))]))
"""


class Load:
    """What `wrk` measured: requests a second, and milliseconds that 99 of 100 took at most."""

    def __init__(self, printed: str) -> None:
        if "Non-2xx" in printed:
            raise RuntimeError(f"some requests were refused:\n{printed}")
        self.rate = float(_found(r"Requests/sec:\s*([\d.]+)", printed))
        amount, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", printed).groups()  # type: ignore[union-attr]  # wrk prints it
        self.p99_ms = float(amount) * {"us": 1e-3, "ms": 1.0, "s": 1e3}[unit]


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        raise RuntimeError(f"wrk printed no {pattern}:\n{text}")
    return match.group(1)


def load(url: str, method: str, body: str) -> Load:
    """Ask ``url`` as fast as it answers."""
    wrk = shutil.which("wrk")
    if wrk is None:
        raise RuntimeError("wrk is not here: apt-get install wrk")
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(
            f"wrk.method = '{method}'\nwrk.body = [[{body}]]\nwrk.headers['content-type'] = 'application/json'\n"
        )
        script.flush()
        command = [wrk, "-t1", f"-c{_CONNECTIONS}", f"-d{_SECONDS}s", "--latency", "-s", script.name, url]
        return Load(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@contextmanager
def served() -> Iterator[str]:
    """Give the address of a runner's API."""
    with project({"noop": SILENT}) as made, runner(made, "--workers", "1", "--port", "0"):
        log = made.root / "runner.log"
        wait_for(lambda: "url=" in log.read_text(), "the API")
        yield _found(r"url=(\S+)", log.read_text())


@contextmanager
def echoing() -> Iterator[str]:
    """Give the address of a bare starlette application that answers with what it gets."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as end, tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "echo.py"
        script.write_text(_ECHO)
        command = [sys.executable, str(script), str(end.fileno())]
        process = subprocess.Popen(command, pass_fds=(end.fileno(),), env=os.environ)
        try:
            yield f"http://127.0.0.1:{end.getsockname()[1]}"
        finally:
            process.terminate()
            process.wait()


def measure(runs: int) -> list[Row]:
    """Return the rows of W10."""
    single, echo, batch = [], [], []
    body = f'{{"executions":[{",".join([_CALL] * _BATCH)}]}}'
    for _ in range(runs):
        with served() as url:
            single.append(load(f"{url}/public/v2/executions", "PUT", _CALL))
            batch.append(load(f"{url}/public/v2/executions/batch", "POST", body))
        with echoing() as url:
            echo.append(load(f"{url}/public/v2/executions", "PUT", _CALL))
    rates = [one.rate for one in single]
    limit = median([one.rate for one in echo])
    batched = [one.rate * _BATCH for one in batch]
    p99 = median([one.p99_ms for one in single])
    return [
        Row("W10", "bare starlette and uvicorn, an echo", f"{limit:,.0f}/s", spread([one.rate for one in echo])),
        Row(
            "W10",
            f"enqueue, {_CONNECTIONS} connections; p99 {p99:.1f} ms (goal 25)",
            f"{median(rates):,.0f}/s",
            spread(rates),
            f"{median(rates) / limit:.2f} of the echo",
            "≥ 4,000/s and ≥ 0.5",
        ),
        Row("W10", f"batches of {_BATCH}", f"{median(batched):,.0f}/s", spread(batched), "", "≥ 30,000/s"),
    ]
