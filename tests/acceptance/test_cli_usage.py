"""What every command does alike: exit codes, errors, help, where a project is."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.command import DEFER, defer, environment, write_function


def test_the_version_is_data() -> None:
    answer = defer(Path.cwd(), "--version")

    assert (answer.code, answer.out.split()[0], answer.err) == (0, "defer", "")


def test_without_a_command_it_shows_its_help(tmp_path: Path) -> None:
    answer = defer(tmp_path)

    assert (answer.code, answer.out) == (2, "")
    assert "trigger" in answer.err


def test_a_mistyped_command_is_guessed(tmp_path: Path) -> None:
    answer = defer(tmp_path, "chekc")

    assert answer.code == 2
    assert answer.err == "error: no such command 'chekc'\n  mend:  did you mean 'check'?\n"


@pytest.mark.parametrize(
    "words",
    [
        ["list", "--nxt", "2"],
        ["list", "--next", "0"],
        ["trigger"],
        ["pause"],
        ["resume"],
        ["run", "--workers", "none"],
        ["run", "--port", "70000"],
        ["run", "--log-format", "xml"],
        ["run", "--grace", "soon"],
        ["run", "--host", "0.0.0.0", "--port", "0"],
        ["trigger", "greet", "Ada", "--delay", "soon"],
        ["trigger", "greet", "Ada", "--metadata", "user"],
        ["trigger", "greet", "Ada", "--timeout", "1"],
        ["trigger", "greet", "-1"],
        ["check", "--project", "/no/such/folder"],
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_exits_2_and_starts_nothing(words: list[str], project: Path) -> None:
    answer = defer(project, *words)

    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("error: ")
    assert "mend:" in answer.err
    assert not (project / ".defer").exists()


def test_a_wrong_setting_exits_3_and_names_its_source(project: Path) -> None:
    answer = defer(project, "run", env={"DEFER_WORKERS": "many"})

    assert answer.code == 3
    assert "where: DEFER_WORKERS in the environment" in answer.err


def test_a_misspelled_setting_is_guessed(project: Path) -> None:
    (project / "pyproject.toml").write_text("[tool.defer]\nworker = 2\n")
    answer = defer(project, "list")

    assert answer.code == 3
    assert "did you mean workers?" in answer.err


def test_outside_a_project_it_says_what_to_do(tmp_path: Path) -> None:
    answer = defer(tmp_path, "list")

    assert answer.code == 3
    assert "defer init" in answer.err


def test_a_project_is_found_from_below(project: Path) -> None:
    below = project / "src" / "deep"
    below.mkdir()

    assert defer(below, "check").code == 0


def test_a_project_can_be_named(project: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    assert defer(tmp_path_factory.mktemp("elsewhere"), "check", "--project", str(project)).code == 0


def test_another_folder_of_functions_can_be_named(project: Path) -> None:
    (project / "src" / "defer").rename(project / "jobs")

    assert defer(project, "check", "--directory", "jobs").code == 0


def test_a_missing_folder_of_functions_exits_3(project: Path) -> None:
    assert defer(project, "check", "--directory", "jobs").code == 3


def test_a_reader_that_hangs_up_is_no_fault(project: Path) -> None:
    command = f"{' '.join(DEFER)} list --next 500 --json | head -1"
    piped = subprocess.run(
        command, shell=True, cwd=project, env=environment(), capture_output=True, text=True, check=True, timeout=60
    )

    assert (piped.stdout, piped.stderr) == ("[\n", "")


def test_a_data_folder_that_cannot_be_made_exits_5(project: Path) -> None:
    (project / "file").write_text("")
    answer = defer(project, "run", "--burst", "--data", str(project / "file" / "data"))

    assert answer.code == 5
    assert "--data" in answer.err


def test_functions_see_what_the_env_file_says(project: Path) -> None:
    (project / ".env").write_text("SHOP=sea\n")
    write_function(
        project,
        "shop",
        'import os\n\nSHOP = os.environ["SHOP"]\n\n\n@defer\nasync def shop() -> str:\n    return SHOP\n',
    )

    assert "SHOP" not in os.environ
    assert defer(project, "check").code == 0
