"""One project that breaks the folder's rule in every way, from the first `defer check` to the last file mended."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree

import pytest

from tests.acceptance.command import Answer, defer
from tests.acceptance.developing import dev
from tests.acceptance.test_naming_rule import LINES, write_broken_project
from tests.process.harness import Project

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]
CRONS = {"def005", "def006", "def006_never"}
CODES = [f"DEF{number:03}" for number in range(1, 14)]
MENDED = """from defer_cli import defer
{decorator}
async def {name}():
    return {name!r}
"""


@pytest.fixture
def broken(tmp_path: Path) -> Project:
    project = Project(tmp_path / "app")
    copytree(write_broken_project(tmp_path), project.folder, symlinks=True, dirs_exist_ok=True)
    return project


def shown(answer: Answer) -> list[tuple[str, str, str]]:
    """Return what was shown as errors: the code, where, the mend."""
    lines = answer.err.splitlines()
    return [
        (line[6:12], lines[number + 1].removeprefix("  where: src/defer/"), lines[number + 2])
        for number, line in enumerate(lines)
        if line.startswith("error[")
    ]


@pytest.mark.parametrize("command", [["check"], ["run"], ["list"]], ids=" ".join)
def test_every_problem_is_shown_with_its_place_and_a_mend(command: list[str], broken: Project) -> None:
    answer = defer(broken.root, *command)

    assert answer.code == 3
    assert {(code, where) for code, where, _ in shown(answer)} == {
        (code, f"{file}:{line}" if line else file) for code, file, line in LINES
    }
    assert all(mend.startswith("  mend:  ") for _, _, mend in shown(answer))


def test_check_shows_the_problems_as_data(broken: Project) -> None:
    answer = defer(broken.root, "check", "--json")
    problems = json.loads(answer.out)["problems"]

    assert (answer.code, answer.err) == (3, "")
    assert sorted({problem["code"] for problem in problems}) == CODES
    assert all(problem["problem"] and problem["where"] and problem["mend"] for problem in problems)


def test_run_starts_nothing(broken: Project) -> None:
    answer = defer(broken.root, "run")

    assert (answer.code, answer.out) == (3, "")
    assert not broken.data.exists()


def test_dev_runs_what_is_right_and_takes_in_each_file_as_it_is_mended(broken: Project) -> None:
    with dev(broken) as running:
        for code, file, _ in sorted(LINES):
            assert any(line.startswith(f"error[{code}]") for line in running.lines)
            assert any(line.startswith(f"  where: src/defer/{file}") for line in running.lines)
        with running.client() as client:
            assert broken.get(client.run("right", 1)).state == "succeed"

        for name in mended_one_after_the_other(broken.folder):
            running.next_line("changed", name, "reloaded")
            if name not in CRONS:
                assert running.result(broken, name) == name
        running.until_line("no problems left")

    assert defer(broken.root, "check").code == 0


def mended_one_after_the_other(folder: Path) -> Iterator[str]:
    """Mend a file, give the name of its function, go on with the next when asked to."""
    (folder / "def011-dash.py").unlink()
    (folder / "def012.py").unlink()
    (folder / "sub" / "twice.py").unlink()
    broken = {Path(file).stem for _, file, _ in LINES} - {"def011-dash", "twice"}
    for name in sorted(broken | {"def011_dash", "sub/twice_more"}):
        path = folder / f"{name}.py"
        decorator = "@defer.cron('@daily')" if name in CRONS else "@defer"
        path.write_text(MENDED.format(decorator=decorator, name=path.stem))
        yield path.stem
