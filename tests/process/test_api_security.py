"""A real runner on a real port: who may come in, what is never told, and what happens when the port is taken."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from defer_cli.domain.states import State
from tests.process.harness import Project, Runner
from tests.process.raw_http import V2, Caller, call

pytestmark = pytest.mark.process

_TOKEN = "t0ken-that-nobody-may-see"
_FUNCTIONS = """
    @defer
    async def quick(*args):
        return len(args)
"""
_SHOW_ENVIRONMENT = """
    @defer
    async def environment():
        return sorted(f"{name}={value}" for name, value in os.environ.items())
"""


def start(project: Project, command: str, *options: str, **environment: str) -> Runner:
    """Start `defer` with variables of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DEFER_")}
    arguments = [sys.executable, "-m", "defer_cli", command, "--project", str(project.root), "--workers", "1", *options]
    process = subprocess.Popen(
        arguments,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=kept | {"PYTHONUNBUFFERED": "1"} | environment,
        cwd=project.root,
    )
    project.processes.append(process)
    return Runner(process, project.data)


@contextmanager
def serving(project: Project, *options: str, command: str = "run", **environment: str) -> Iterator[tuple[Runner, int]]:
    """Run a runner that serves; give it and its port."""
    runner = start(project, command, *options, **environment)
    try:
        found = re.search(r"https?://\S+?:(\d+)", runner.until_line("http://"))
        assert found is not None
        yield runner, int(found.group(1))
    finally:
        runner.kill()


@contextmanager
def calling(port: int) -> Iterator[Caller]:
    caller = Caller(port)
    try:
        yield caller
    finally:
        caller.close()


def test_with_a_token_nothing_is_done_without_it_and_it_is_never_told(project: Project, tmp_path: Path) -> None:
    project.write(quick=_FUNCTIONS, environment=_SHOW_ENVIRONMENT)
    file = tmp_path / "token"
    file.write_text(f"{_TOKEN}\n")
    file.chmod(0o600)
    with serving(project, "--port", "0", "--host", "0.0.0.0", DEFER_TOKEN_FILE=str(file)) as (runner, port):
        host = ("Host", f"127.0.0.1:{port}")
        shown = [("Basic", b64encode(f":{_TOKEN}".encode()).decode()), ("Bearer", _TOKEN)]
        with calling(port) as caller:
            refused = [
                caller.ask("PUT", f"{V2}/executions", call("quick"), [host, *headers])
                for headers in ([], [("Authorization", f"Bearer {_TOKEN}x")], [("Authorization", "Basic \xff\xfe")])
            ]
            taken = [
                caller.ask("PUT", f"{V2}/executions", call(name), [host, ("Authorization", " ".join(form))])
                for name, form in zip(("quick", "environment"), shown, strict=True)
            ]
            elsewhere = caller.ask("GET", "/health", headers=[("Host", "evil.example")])
        id = taken[1].json["data"]["id"]
        with runner.client() as client:
            assert client.wait(id) == "succeed"
        (worker,) = runner.worker_pids()
        told = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in (runner.pid, worker)]
        told.append(Path(f"/proc/{worker}/environ").read_bytes())
        assert runner.stop() == 0

    assert [answer.status for answer in refused] == [401, 401, 401]
    assert all(answer.headers["www-authenticate"].startswith("Basic") for answer in refused)
    assert [answer.status for answer in taken] == [201, 201]
    assert elsewhere.status == 403
    assert project.in_state(State.SUCCEED) == 2
    assert not [variable for variable in project.result(id) if "TOKEN" in variable]
    assert not [text for text in told if _TOKEN.encode() in text]
    assert _TOKEN not in runner.output
    assert "requests refused over HTTP" in runner.output


@pytest.mark.parametrize(
    ("options", "environment", "code", "words"),
    [
        (("--host", "0.0.0.0"), {}, 2, "there is no token"),
        (("--host", "::ffff:0.0.0.0"), {}, 2, "there is no token"),
        (("--host", "0.0.0.0"), {"DEFER_TOKEN_FILE": "/nowhere/token"}, 3, "it cannot be read"),
        (("--host", "0.0.0.0"), {"DEFER_TOKEN": " "}, 3, "the token is empty"),
        (("--host", "192.0.2.1"), {"DEFER_TOKEN": "x"}, 2, "no address of this machine"),
    ],
)
def test_what_cannot_be_served_safely_is_not_served(
    project: Project, options: tuple[str, ...], environment: dict[str, str], code: int, words: str
) -> None:
    project.write(quick=_FUNCTIONS)
    runner = start(project, "run", "--port", "0", *options, **environment)

    assert runner.wait() == code
    assert words in runner.output
    assert "mend:" in runner.output
    assert not project.data.exists()


def test_a_taken_port_ends_a_run_and_not_a_burst(project: Project) -> None:
    project.write(quick=_FUNCTIONS)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        runner = start(project, "run", "--port", port)

        assert runner.wait() == 2
        assert f"127.0.0.1:{port} is taken" in runner.output
        assert "--port 0 for any free one" in runner.output
        assert not project.data.exists()
        assert start(project, "run", "--burst", "--port", port).wait() == 0


def test_dev_takes_another_port_where_its_own_is_taken_and_says_so(project: Project) -> None:
    project.write(quick=_FUNCTIONS)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with serving(project, "--port", port, command="dev") as (runner, other), calling(other) as caller:
            assert caller.enqueue("quick").status == 201
            assert str(other) != port
            runner.until_line(f"127.0.0.1:{port} is taken", "another port")


def test_a_name_that_was_allowed_is_served(project: Project) -> None:
    project.write(quick=_FUNCTIONS)
    with (
        serving(project, "--port", "0", DEFER_ALLOWED_HOSTS="runner,defer.example") as (_, port),
        calling(port) as caller,
    ):
        given = [caller.ask("GET", "/nothing", headers=[("Host", host)]).status for host in ("runner", "other")]

    assert given == [404, 403]


def test_a_second_signal_ends_a_request_that_would_be_waited_for(project: Project) -> None:
    project.write(quick=_FUNCTIONS)
    with serving(project, "--port", "0") as (runner, port), calling(port) as caller:
        assert caller.enqueue("quick").status == 201
        caller.write(b"PUT /public/v2/executions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n12")
        assert caller.read_nothing()
        runner.signal()
        runner.signal(signal.SIGINT)

        assert runner.wait(seconds=4) == 0
