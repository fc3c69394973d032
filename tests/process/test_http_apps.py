"""Applications that reach their runner over HTTP: in a loop, without one, forked, at their end, with a wrong token."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.process.harness import Project, Runner

pytestmark = pytest.mark.process

TOKEN = "a token, ünguessed"
ECHO = """
    @defer
    async def echo(value=None, *, other=0):
        return [value, other]
    """
ASKING = """
    from defer_cli import defer_enabled
    from .echo import echo
    @defer
    async def asking():
        return [defer_enabled(), (await echo(7)).parent, sorted(name for name in os.environ if "TOKEN" in name)]
    """


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    project = Project(tmp_path_factory.mktemp("http"))
    project.write(echo=ECHO, asking=ASKING)
    project.runner_environment["DEFER_TOKEN"] = TOKEN
    yield project
    project.end()


@pytest.fixture(scope="module")
def runner(project: Project) -> Iterator[Runner]:
    with project.run("--workers", "1", "--port", "0") as runner:
        yield runner


class App:
    """Runs scripts that have nothing of the project but its code: no data folder, a token and an address."""

    def __init__(self, project: Project, runner: Runner, nowhere: Path) -> None:
        self._project = project
        self._head = f"""
import os, atexit
os.environ |= {{"DEFER_TOKEN": {TOKEN!r}, "DEFER_ENDPOINT": {runner.url!r}, "DEFER_DATA": {str(nowhere)!r}}}
from defer.echo import echo
from defer.asking import asking
"""

    def says(self, source: str) -> str:
        """Return what a script says; it ends well and without a word of complaint."""
        done = self._project.app(self._head + source)
        assert (done.returncode, done.stderr) == (0, "")
        said: str = done.stdout.strip()
        return said

    def fails(self, source: str) -> str:
        done = self._project.app(self._head + source)
        assert done.returncode == 1
        said: str = done.stderr
        return said


@pytest.fixture
def app(project: Project, runner: Runner, tmp_path: Path) -> Iterator[App]:
    nowhere = tmp_path / "nowhere"
    yield App(project, runner, nowhere)
    assert not nowhere.exists()


def stored(project: Project) -> int:
    return sum(project.counts().values())


def test_without_a_loop_a_call_returns_when_it_is_stored(app: App) -> None:
    source = """
call = echo(1)
print(call.wait().state, await_result(echo)("é", other=2).wait(), asyncio.run(get_execution(call.id)).id == call.id)
"""
    assert app.says(source) == "created ['é', 2] True"


@pytest.mark.slow
def test_ten_thousand_calls_in_a_plain_loop_are_all_stored(app: App, project: Project) -> None:
    """Nobody awaits them: the process ends when they are on disk."""
    before = stored(project)
    source = """
import time
async def main():
    began = time.monotonic()
    for number in range(10_000):
        last = echo(number)
    await last
    return time.monotonic() - began
print(f"{asyncio.run(main()):.2f}")
"""
    seconds = float(app.says(source))

    print(f"10,000 calls over HTTP in {seconds:.2f} s")
    assert stored(project) == before + 10_000
    assert seconds < 20


def test_calls_that_nobody_awaits_are_stored_at_the_end_of_the_process(app: App, project: Project) -> None:
    before = stored(project)
    app.says("""
async def main():
    for number in range(2_000):
        echo(number)
asyncio.run(main())
""")

    assert stored(project) == before + 2_000


def test_calls_made_while_the_interpreter_closes_are_stored(app: App, project: Project) -> None:
    before = stored(project)
    app.says("""
atexit.register(lambda: [echo(number) for number in range(3)])
echo(0)
""")

    assert stored(project) == before + 4


def test_a_forked_process_has_connections_of_its_own(app: App, project: Project) -> None:
    before = stored(project)
    source = """
echo("before the fork")
child = os.fork()
ids = [echo(number).id for number in range(50)]
assert [await_result(echo)(number).wait() for number in range(5)] == [[number, 0] for number in range(5)]
if child:
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status))
"""
    assert app.says(source) == "0"
    assert stored(project) == before + 1 + 2 * 55


def test_calls_are_enabled_where_a_token_is_set(app: App) -> None:
    assert app.says("print(defer_enabled())\nos.environ['DEFER_TOKEN'] = ''\nprint(defer_enabled())") == "True\nFalse"


def test_a_function_that_was_called_over_http_calls_over_its_own_pipe(app: App) -> None:
    source = "call = await_result(asking)()\nprint(call.wait() == [True, call.id, []])"

    assert app.says(source) == "True"


def test_a_wrong_token_is_told_and_not_shown(app: App) -> None:
    said = app.fails("os.environ['DEFER_TOKEN'] = 'wrong-secret'\necho(1)\n")

    assert "SettingError: DEFER_TOKEN: http://127.0.0.1:" in said
    assert "(401); set DEFER_TOKEN to the token of that runner" in said
    assert "wrong-secret" not in said.replace("os.environ['DEFER_TOKEN'] = 'wrong-secret'", "")


def test_a_function_that_the_runner_does_not_have_is_refused_with_the_nearest_name(app: App) -> None:
    said = app.fails("echo.name = 'ecko'\necho(1)\n")

    assert "CallRefused: ecko, id " in said
    assert 'cannot find function "ecko"; did you mean echo?' in said


def test_an_address_that_is_none_is_told_before_anything_is_sent(app: App) -> None:
    said = app.fails("os.environ['DEFER_ENDPOINT'] = 'runner:3337'\necho(1)\n")

    assert "SettingError: DEFER_ENDPOINT: 'runner:3337' has no http:// or https:// and a host" in said
