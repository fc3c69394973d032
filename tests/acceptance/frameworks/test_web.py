"""Calls from the handlers of web frameworks, each behind its real server, beside a real runner."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from tests.acceptance.frameworks.serving import Reply, Server, Site
from tests.process.harness import until

pytestmark = pytest.mark.process


@dataclass(frozen=True)
class Framework:
    """How an app is served, and where its handlers are."""

    command: str
    options: tuple[str, ...] = ()
    below: str = ""


GUNICORN = ("--no-control-socket", "--bind", "127.0.0.1:{port}")
UVICORN = ("--port", "{port}", "--no-access-log", "--loop")
FRAMEWORKS = {
    "flask": Framework("flask --app src/flask_app.py run", ("--port", "{port}")),
    "django under wsgi": Framework("gunicorn --chdir src django_app", GUNICORN),
    "django, async views, under wsgi": Framework("gunicorn --chdir src django_app", GUNICORN, below="/async"),
    "django, async views": Framework("uvicorn --app-dir src django_app:asgi", (*UVICORN, "asyncio"), below="/async"),
    "fastapi": Framework("uvicorn --app-dir src fastapi_app:app", (*UVICORN, "asyncio")),
    "starlette under uvloop": Framework("uvicorn --app-dir src starlette_app:app", (*UVICORN, "uvloop")),
}


class App:
    """An app of the framework under test."""

    def __init__(self, server: Server, below: str) -> None:
        self.server = server
        self._below = below

    def get(self, path: str) -> Reply:
        return self.server.get(self._below + path)

    def post(self, path: str) -> Reply:
        return self.server.post(self._below + path)

    def welcome(self, name: str) -> str:
        """Ask for a letter; return the execution's id."""
        reply = self.post(f"/welcome/{name}")
        assert reply.status == 202, self.server.output
        id: str = reply.data["id"]
        return id


@pytest.fixture(scope="module", params=FRAMEWORKS.values(), ids=list(FRAMEWORKS))
def app(site: Site, request: pytest.FixtureRequest) -> Iterator[App]:
    framework: Framework = request.param
    site.with_runner()
    with site.serving(framework.command, *framework.options) as server:
        yield App(server, framework.below)


def test_what_a_handler_calls_runs_and_can_be_asked_for(site: Site, app: App) -> None:
    site.with_runner()
    id = app.welcome("ann")
    until(lambda: app.get(f"/executions/{id}").data == {"state": "succeed"}, "it succeeds")

    assert site.letter(id) == "Welcome, ann!"
    assert app.get(f"/executions/{id}/letter").data == {"letter": "Welcome, ann!"}
    assert app.get(f"/executions/{id[::-1]}").status == 404


def test_a_handler_waits_for_a_result(site: Site, app: App) -> None:
    site.with_runner()

    assert app.get("/letters/bob").data == {"letter": "Welcome, bob!"}


def test_an_argument_that_is_not_json_is_refused_with_its_mend(site: Site, app: App) -> None:
    site.with_runner()

    assert app.post("/mistake").status == 500
    app.server.until_logged("since: datetime is not JSON; send .isoformat()")


def test_an_answered_call_outlives_its_runner_and_one_without_a_runner_waits(site: Site, app: App) -> None:
    site.with_runner()
    taken = app.welcome("carl")
    site.without_runner()
    left = app.welcome("dora")

    assert site.stored(taken) is not None
    assert left in {call.id for call in site.in_inbox()}

    assert app.get(f"/executions/{taken}").status == 500
    app.server.until_logged(f"no runner is alive to show execution {taken}; start `defer run`")

    site.with_runner()
    until(lambda: site.letter(taken) == "Welcome, carl!", "what was taken runs")
    until(lambda: site.letter(left) == "Welcome, dora!", "what was left runs")
    assert app.get(f"/executions/{left}").status == 200


def test_a_request_is_not_answered_before_its_call_is_on_disk(site: Site, app: App) -> None:
    runner = site.with_runner().process
    app.welcome("emil")  # so that it is connected
    os.kill(runner.pid, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as thread:
        answer = thread.submit(app.welcome, "fay")
        with pytest.raises(TimeoutError):
            answer.result(0.2)
        site.without_runner()
        id = answer.result()

    assert id in {call.id for call in site.in_inbox()}
