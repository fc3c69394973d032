"""Files that cannot be imported: which line is to blame, and what to do."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.unit.discovery.projects import SmallProject, right


def test_an_error_names_the_users_own_line(project: SmallProject) -> None:
    project.write("send.py", "import json\njson.loads('{')\n")

    problem = project.problem()

    assert (problem.code, problem.where) == ("DEF008", "src/defer/send.py:3")
    assert problem.problem.startswith("cannot be imported: JSONDecodeError: Expecting property name")


def test_a_syntax_error_shows_its_line_and_text(project: SmallProject) -> None:
    project.write("send.py", "\nasync def send(:\n")

    problem = project.problem()

    assert problem.where == "src/defer/send.py:3"
    assert "`async def send(:`" in problem.problem


def test_a_file_that_fails_because_of_another_says_so(project: SmallProject) -> None:
    project.write("compute.py", "\n1 / 0\n")
    project.write("weekly.py", "from .compute import compute\n" + right("weekly"))

    own, caused = project.problems()

    assert own.where == "src/defer/compute.py:3"
    assert caused.where == "src/defer/weekly.py:2"
    assert "because of src/defer/compute.py:3: ZeroDivisionError" in caused.problem
    assert caused.mend == "mend src/defer/compute.py:3 first"


def test_a_failing_helper_outside_the_folder_is_named(project: SmallProject) -> None:
    project.write("shop.py", "raise RuntimeError('no stock')\n", at="src")
    project.write("send.py", "import shop\n")

    assert "because of src/shop.py:2: RuntimeError: no stock" in project.problem().problem


def test_files_that_import_each_other_are_told_to_import_the_module(project: SmallProject) -> None:
    project.write("ping.py", "from .pong import pong\n" + right("ping"))
    project.write("pong.py", "from .ping import ping\n" + right("pong"))

    ping, pong = project.problems()

    assert (ping.where, pong.where) == ("src/defer/ping.py:2", "src/defer/pong.py:2")
    assert ping.mend is not None
    assert "`from . import pong`" in ping.mend
    assert pong.mend is not None
    assert "`from . import ping`" in pong.mend


def test_a_file_outside_a_circle_is_told_the_line_to_mend(project: SmallProject) -> None:
    project.write("ping.py", "from .pong import pong\n" + right("ping"))
    project.write("pong.py", "from .ping import ping\n" + right("pong"))
    project.write("user.py", "from .ping import ping\n" + right("user"))

    assert "because of src/defer/pong.py:2" in project.problems()[2].problem


def test_the_mend_of_a_circle_mends_it(project: SmallProject) -> None:
    project.write("ping.py", "from . import pong\n" + right("ping"))
    project.write("pong.py", "from . import ping\n" + right("pong"))

    assert project.problems() == ()


def test_a_missing_package_is_to_be_installed(project: SmallProject) -> None:
    project.write("send.py", "import no_such_package_at_all\n")

    mend = project.problem().mend

    assert mend is not None
    assert mend.startswith("install 'no_such_package_at_all'")


def test_sys_exit_at_the_top_of_a_file_does_not_end_discovery(project: SmallProject) -> None:
    project.write("script.py", "import sys\nsys.exit(3)\n")
    project.write("send.py", right("send"))

    found = project.discover()

    assert [problem.problem for problem in found.problems] == ["cannot be imported: it ends the process: sys.exit(3)"]
    assert [spec.name for spec in found.functions] == ["send"]


@pytest.mark.parametrize(
    ("line", "ending"), [("os._exit(7)", "exit status 7"), ("os.kill(os.getpid(), 11)", "was killed by SIGSEGV")]
)
def test_a_file_that_kills_the_inspector_is_named_and_the_others_are_seen(
    project: SmallProject, line: str, ending: str
) -> None:
    project.write("mine.py", f"import os\n{line}\n")
    project.write("send.py", right("send"))

    found = project.discover()

    assert [(problem.code, problem.file) for problem in found.problems] == [("DEF008", "src/defer/mine.py")]
    assert ending in found.problems[0].problem
    assert [spec.name for spec in found.functions] == ["send"]


def test_a_file_that_is_never_done_is_named_at_the_deadline(project: SmallProject) -> None:
    project.write("wait.py", "import threading\nthreading.Event().wait()\n")

    found = project.discover(deadline=timedelta(seconds=1.5))

    assert [(problem.code, problem.file) for problem in found.problems] == [("DEF008", "src/defer/wait.py")]
    assert "after 1.5 s" in found.problems[0].problem


def test_the_files_that_were_not_looked_at_say_because_of_which(project: SmallProject) -> None:
    project.write("send.py", right("send"))
    project.write("wait.py", "import threading\nthreading.Event().wait()\n")

    found = project.discover(deadline=timedelta(seconds=1.5))

    assert [problem.file for problem in found.problems] == ["src/defer/send.py", "src/defer/wait.py"]
    assert "because of src/defer/wait.py" in found.problems[0].problem


def test_a_failing_init_file_is_named_and_the_others_are_seen(project: SmallProject) -> None:
    (project.folder / "__init__.py").write_text("1 / 0\n")
    project.write("send.py", right("send"))

    found = project.discover()

    assert [problem.where for problem in found.problems] == ["src/defer/__init__.py:1"]
    assert [spec.name for spec in found.functions] == ["send"]


def test_an_error_whose_text_cannot_be_read_is_still_shown(project: SmallProject) -> None:
    project.write("send.py", "class Odd(Exception):\n    def __str__(self): raise ValueError\nraise Odd\n")

    assert project.problem().problem == "cannot be imported: Odd"
