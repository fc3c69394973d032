"""The rule of the folder, on one project that breaks it in every way."""

from __future__ import annotations

from pathlib import Path

import pytest

from defer_cli.discovery.discover import Discovery, discover

RIGHT = "@defer\nasync def {name}(user_id: int) -> None: ...\n"
FILES = {
    "right.py": RIGHT.format(name="right"),
    "uses_broken.py": "from .bad_option import bad_option\n" + RIGHT.format(name="uses_broken"),
    "def001.py": "def helper(): ...\n",
    "def002.py": RIGHT.format(name="def002") + RIGHT.format(name="another"),
    "def003.py": RIGHT.format(name="other_name"),
    "def004.py": "@defer\ndef def004(): ...\n",
    "def005.py": "@defer.cron('@daily')\nasync def def005(*rest, day=1): ...\n",
    "def006.py": "@defer.cron('0 25 * * *')\nasync def def006(): ...\n",
    "def006_never.py": "@defer.cron('0 0 31 2 *')\nasync def def006_never(): ...\n",
    "twice.py": RIGHT.format(name="twice"),
    "sub/twice.py": RIGHT.format(name="twice"),
    "def008.py": "1 / 0\n",
    "def008_caused.py": "from .def008 import def008\n",
    "def009.py": "def009 = defer(lambda: None)\n",
    "bad_option.py": "@defer(concurrency=0)\nasync def bad_option(): ...\n",
    "def011-dash.py": RIGHT.format(name="def011"),
    "def013.py": "class Jobs:\n    @defer\n    async def def013(): ...\n",
}
LINES = {
    ("DEF001", "def001.py", None),
    ("DEF002", "def002.py", 4),
    ("DEF003", "def003.py", 2),
    ("DEF004", "def004.py", 2),
    ("DEF005", "def005.py", 2),
    ("DEF006", "def006.py", 2),
    ("DEF006", "def006_never.py", 2),
    ("DEF007", "sub/twice.py", 2),
    ("DEF007", "twice.py", 2),
    ("DEF008", "def008.py", 2),
    ("DEF008", "def008_caused.py", 2),
    ("DEF009", "def009.py", 2),
    ("DEF010", "bad_option.py", 2),
    ("DEF011", "def011-dash.py", None),
    ("DEF012", "def012.py", None),
    ("DEF013", "def013.py", 2),
}


def write_broken_project(root: Path) -> Path:
    """Write a project that breaks every rule of the folder, and has two files that are right; return its folder."""
    folder = root / "project" / "src" / "defer"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("from defer_cli import defer\n" + text)
    outside = root / "outside.py"
    outside.write_text("")
    (folder / "def012.py").symlink_to(outside)
    return folder


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Discovery:
    folder = write_broken_project(tmp_path_factory.mktemp("broken"))
    return discover(folder.parents[1], folder)


def test_all_problems_of_all_files_are_found_at_once(broken: Discovery) -> None:
    found = {(problem.code, problem.file.removeprefix("src/defer/"), problem.line) for problem in broken.problems}

    assert found == LINES


def test_the_rule_has_thirteen_problems_and_each_is_shown(broken: Discovery) -> None:
    assert {problem.code for problem in broken.problems} == {f"DEF{number:03}" for number in range(1, 14)}


def test_every_problem_says_how_to_mend_it(broken: Discovery) -> None:
    assert [problem.where for problem in broken.problems if not problem.mend] == []


def test_the_files_that_are_right_are_taken(broken: Discovery) -> None:
    assert [spec.name for spec in broken.functions] == ["right", "uses_broken"]
