"""One runner for all tests of the contract, and a program at the end of each route to it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from defer_cli.domain.ids import random_id
from defer_cli.domain.states import State
from tests.contract.desk import SERVING, Desk
from tests.process.harness import DEADLINE_SECONDS, FAST, Client, Project, Runner


@contextmanager
def script(project: Project, client: Client, path: Path, environment: Mapping[str, str] = {}) -> Iterator[None]:
    process = project.start_app(
        f"import os\nos.environ |= {environment!r}\nfrom serving import serve\nasyncio.run(serve({str(path)!r}))"
    )
    yield
    said, _ = process.communicate(timeout=DEADLINE_SECONDS)
    assert (said, process.returncode) == ("", 0)


def elsewhere(project: Project, client: Client, path: Path) -> AbstractContextManager[None]:
    """Run the script with what an application on another machine has: a token and an address."""
    endpoint = (project.data / "url").read_text()
    return script(project, client, path, {"DEFER_TOKEN": TOKEN, "DEFER_ENDPOINT": endpoint})


@contextmanager
def function(project: Project, client: Client, path: Path) -> Iterator[None]:
    id = client.call("desk", str(path))
    yield
    assert client.wait(id) == "succeed"


TOKEN = "tökén: of the contract"
ROUTES = {"socket": script, "pipe": function, "http": elsewhere}
"""Programs that ask by this route: they connect to the path they are given, and end when it hangs up."""

FUNCTIONS = {
    "echo": """
        @defer
        async def echo(value=None):
            return value
        """,
    "broken": """
        @defer(retry=False)
        async def broken(message="no stock"):
            raise ValueError(message)
        """,
    "flaky": f"""
        @defer({FAST})
        async def flaky(good_at):
            if current_execution().attempt < good_at:
                raise LookupError("not yet")
            return current_execution().attempt
        """,
    "hold": """
        @defer(retry=False)
        async def hold(name):
            note(name)
            await until_noted(f"{name}-go")
            return name
        """,
    "stubborn": """
        @defer(retry=False)
        async def stubborn(name):
            note(name)
            try:
                await until_noted(f"{name}-go")
            except asyncio.CancelledError:
                note(f"{name}-cancelled")
                await until_noted(f"{name}-go")
        """,
    "wordy": """
        @defer(retry={"max_attempts": 40, "initial_interval": 0, "randomization_factor": 0})
        async def wordy():
            raise ValueError("x" * 70_000)
        """,
    "parent": """
        from .echo import echo
        @defer
        async def parent():
            return [(await echo(number)).id for number in range(3)]
        """,
    "desk": """
        from serving import serve
        @defer(max_duration="1h")
        async def desk(path):
            await serve(path)
        """,
}


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    project = Project(tmp_path_factory.mktemp("contract"))
    project.write(**FUNCTIONS)
    (project.root / "src" / "serving.py").write_text(textwrap.dedent(SERVING))
    yield project
    project.end()


@pytest.fixture(scope="session")
def runner(project: Project) -> Iterator[Runner]:
    project.runner_environment["DEFER_TOKEN"] = TOKEN
    with project.run("--workers", "2", "--port", "0") as runner:
        (project.data / "url").write_text(runner.url)
        yield runner


@pytest.fixture(scope="session")
def client(runner: Runner) -> Iterator[Client]:
    with runner.client() as client:
        yield client


@pytest.fixture(scope="session", params=ROUTES)
def desk(
    request: pytest.FixtureRequest, project: Project, client: Client, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Desk]:
    path = tmp_path_factory.mktemp(request.param) / "desk"
    desk = Desk(path)
    with ROUTES[request.param](project, client, path), desk:
        yield desk


class Makers:
    """Makes executions in a state that was asked for."""

    def __init__(self, project: Project, client: Client, desk: Desk) -> None:
        self._project = project
        self._client = client
        self._desk = desk
        self._held: list[str] = []
        self._kept: dict[State, str] = {}

    def kept(self, state: State) -> str:
        """Return an execution in ``state`` that others use too: change it only where that is refused."""
        if state is State.ABORTING:  # its process is killed after 5 s
            return self.new(state)
        if state not in self._kept:
            self._kept[state] = self.new(state)
        return self._kept[state]

    def new(self, state: State, function: str = "echo", *arguments: object, **options: object) -> str:
        """Return an execution in ``state``; it is a call of ``function`` where nothing speaks against it."""
        desk, client = self._desk, self._client
        if state is State.CREATED:
            return desk.call(function, *arguments, delay="1h", **options).id
        if state is State.CANCELLED:
            return desk.cancel(self.new(State.CREATED, function, *arguments, **options)).id
        if state is State.STARTED:
            return self.held("hold", **options)
        if state is State.ABORTING:
            return desk.cancel(self.held("stubborn", **options), force=True).id
        if state is State.ABORTED:
            id = desk.cancel(self.held("hold", **options), force=True).id
        elif state is State.DISCARDED:
            id = desk.call(function, *arguments, delay="1h", discard_after=0, **options).id
        elif state is State.FAILED:
            id = desk.call("broken", *arguments, **options).id
        else:
            id = desk.call(function, *arguments, **options).id
        assert client.wait(id) == state
        return id

    def held(self, function: str, **options: object) -> str:
        """Return an execution that runs until ``let_go``."""
        name = random_id()
        execution = self._desk.call(function, name, **options)
        self._project.until_noted(name)
        self._held.append(name)
        return execution.id

    def let_go(self) -> None:
        for name in self._held:
            self._project.note(f"{name}-go")
        self._held.clear()


@pytest.fixture(scope="session")
def keeper(project: Project, client: Client, desk: Desk) -> Iterator[Makers]:
    makers = Makers(project, client, desk)
    yield makers
    makers.let_go()


@pytest.fixture
def make(project: Project, client: Client, desk: Desk) -> Iterator[Makers]:
    makers = Makers(project, client, desk)
    yield makers
    makers.let_go()
