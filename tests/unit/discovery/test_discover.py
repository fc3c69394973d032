"""What discovery tells of a function, and what the inspector lets user code see and do."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from subprocess import run

import pytest

from defer_cli.discovery.discover import Discovery, discover
from defer_cli.discovery.environment import function_environment
from defer_cli.domain.errors import SettingError
from defer_cli.domain.function import Parameter
from tests.unit.discovery.projects import SmallProject, right


def test_a_function_is_described_whole(project: SmallProject) -> None:
    project.write(
        "send.py",
        '''
        @defer(concurrency=20, max_duration="5 min", retry=2)
        async def send(user_id: "Nowhere", /, *rest, text="", **more) -> None:
            """Send a mail.

            To the user.
            """
        ''',
    )

    (spec,) = project.discover().functions

    assert (spec.name, spec.kind, spec.module, spec.file, spec.line) == (
        "send",
        "function",
        "defer.send",
        "src/defer/send.py",
        3,
    )
    assert (spec.options.concurrency, spec.options.retry.max_attempts) == (20, 2)
    assert spec.doc == "Send a mail."
    assert spec.parameters == (
        Parameter(name="user_id", kind="positional_only"),
        Parameter(name="rest", kind="var_positional"),
        Parameter(name="text", kind="keyword_only", has_default=True),
        Parameter(name="more", kind="var_keyword"),
    )


def test_a_cron_is_described_with_its_schedule_as_written(project: SmallProject) -> None:
    project.write("weekly.py", "@defer.cron('0 8 * *  mon', catch_up='none')\nasync def weekly(): ...\n")

    (spec,) = project.discover().functions

    assert (spec.kind, spec.schedule, spec.options.catch_up) == ("cron", "0 8 * *  mon", "none")


def test_functions_are_sorted_by_name(project: SmallProject) -> None:
    project.write("z/alpha.py", right("alpha"))
    project.write("beta.py", right("beta"))

    assert [spec.name for spec in project.discover().functions] == ["alpha", "beta"]


def test_an_empty_folder_has_nothing(project: SmallProject) -> None:
    assert project.discover() == Discovery()


def test_annotations_are_never_evaluated(project: SmallProject) -> None:
    path = project.write("send.py", "@defer\nasync def send(user: no.such[name]) -> 1 / 0: ...\n")
    path.write_text("from __future__ import annotations\n" + path.read_text())

    assert project.problems() == ()


def test_functions_import_from_the_project_and_from_beside_the_folder(project: SmallProject) -> None:
    (project.root / "settings.py").write_text("LIMIT = 3\n")
    (project.root / "src" / "shop.py").write_text("STOCK = 3\n")
    project.write("send.py", "import settings, shop\n" + right("send"))

    assert project.problems() == ()


def test_an_installed_package_called_defer_does_not_win(project: SmallProject) -> None:
    project.write("send.py", right("send"))
    project.write("use.py", "from defer.send import send\n" + right("use"))
    project.write("__init__.py", "raise RuntimeError('the other one')\n", at="installed/defer")

    found = project.discover(environ={"PYTHONPATH": str(project.root / "installed")})

    assert [spec.name for spec in found.functions] == ["send", "use"]


def test_the_package_is_named_as_far_up_as_init_files_go(project: SmallProject) -> None:
    (project.root / "src" / "__init__.py").touch()
    project.write("send.py", right("send"))

    assert [spec.module for spec in project.discover().functions] == ["src.defer.send"]


def test_a_script_in_the_project_does_not_shadow_what_the_inspector_needs(project: SmallProject) -> None:
    (project.root / "typing.py").write_text("1 / 0\n")
    project.write("send.py", right("send"))

    assert project.problems() == ()


def test_two_quick_saves_show_the_second(project: SmallProject) -> None:
    first = project.write("send.py", "@defer(retry=1)\nasync def send(): ...\n")
    moment = first.stat()
    project.discover()
    project.write("send.py", "@defer(retry=2)\nasync def send(): ...\n")
    os.utime(first, ns=(moment.st_atime_ns, moment.st_mtime_ns))

    (spec,) = project.discover().functions

    assert spec.options.retry.max_attempts == 2


def test_user_code_sees_the_projects_variables(project: SmallProject) -> None:
    (project.root / ".env").write_text("SHOP=from-file\nCITY=from-file\n")
    project.write("send.py", "import os\nassert (os.environ['SHOP'], os.environ['CITY']) == ('real', 'from-file')\n")

    found = project.discover(environ={"SHOP": "real"})

    assert [problem.code for problem in found.problems] == ["DEF001"]


@pytest.mark.parametrize("name", ["DEFER_TOKEN", "DEFER_TOKEN_FILE", "DEFER_DATABASE_URL", "DEFER_SLACK_WEBHOOK_URL"])
def test_secrets_do_not_reach_user_code(tmp_path: Path, name: str) -> None:
    (tmp_path / ".env").write_text(f"{name}=from-file\nSHOP_TOKEN=theirs\n")

    assert function_environment(tmp_path, {name: "real"}) == {"SHOP_TOKEN": "theirs"}


def test_what_user_code_prints_is_talk_and_not_data(project: SmallProject) -> None:
    project.write("send.py", "print('hello')\n" + right("send"))
    program = (
        "import sys; from pathlib import Path; from defer_cli.discovery.discover import discover;"
        "print([spec.name for spec in discover(Path(sys.argv[1]), Path(sys.argv[2])).functions])"
    )

    ran = run([sys.executable, "-c", program, project.root, project.folder], capture_output=True, text=True, check=True)

    assert ran.stdout == "['send']\n"
    assert "hello" in ran.stderr


def test_user_code_has_no_standard_input(project: SmallProject) -> None:
    project.write("send.py", "import sys\nassert sys.stdin.read() == ''\n" + right("send"))

    assert project.problems() == ()


def test_a_process_left_behind_by_user_code_is_ended(project: SmallProject) -> None:
    project.write("send.py", "import os, signal\nif os.fork() == 0:\n    signal.pause()\n" + right("send"))

    assert [spec.name for spec in project.discover().functions] == ["send"]


def test_relative_paths_are_taken_from_the_working_directory(
    project: SmallProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write("send.py", right("send"))
    monkeypatch.chdir(project.root)

    found = discover(Path(), Path("src/defer"))

    assert [spec.file for spec in found.functions] == ["src/defer/send.py"]


def test_variables_that_cannot_be_read_are_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(file: Path) -> None:
        raise PermissionError(13, "Permission denied", str(file))

    (tmp_path / ".env").write_text("A=1")
    monkeypatch.setattr("dotenv.dotenv_values", refuse)  # root, who runs these tests, may read everything
    with pytest.raises(SettingError, match="it cannot be read"):
        function_environment(tmp_path, {})
