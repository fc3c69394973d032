"""Which files count, by name and place."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from defer_cli.discovery.scan import scan
from tests.unit.discovery.projects import SmallProject


def names(project: SmallProject) -> list[str]:
    return [path.relative_to(project.folder).as_posix() for path in scan(project.root, project.folder).files]


def codes(project: SmallProject) -> list[tuple[str, str]]:
    return [(problem.code, problem.file) for problem in scan(project.root, project.folder).problems]


@pytest.mark.parametrize(
    "name",
    [
        "conftest.py",
        "test_send.py",
        "send_test.py",
        "send_spec.py",
        ".hidden.py",
        "notes.txt",
        "tests/send.py",
        "spec/send.py",
        "__pycache__/send.py",
        ".git/send.py",
        "mail/__init__.py",
    ],
)
def test_what_is_no_function_file_is_ignored(project: SmallProject, name: str) -> None:
    project.write(name, "")

    assert names(project) == []


def test_sub_folders_are_searched(project: SmallProject) -> None:
    project.write("mail/weekly/send.py", "")
    project.write("clean.py", "")

    assert names(project) == ["clean.py", "mail/weekly/send.py"]


@pytest.mark.parametrize(
    ("name", "mend"),
    [
        ("send-mail.py", "rename it to send_mail.py"),
        ("class.py", "rename it to class_job.py"),
        ("2fa.py", "rename it to job_2fa.py"),
    ],
)
def test_a_file_that_cannot_be_imported_by_name_is_told_a_name(project: SmallProject, name: str, mend: str) -> None:
    project.write(name, "")

    (problem,) = scan(project.root, project.folder).problems

    assert (problem.code, problem.mend) == ("DEF011", mend)


def test_a_folder_that_is_no_name_is_a_problem_once(project: SmallProject) -> None:
    project.write("my-mails/a.py", "")
    project.write("my-mails/b.py", "")

    assert codes(project) == [("DEF011", "src/defer/my-mails")]


@pytest.mark.parametrize("name", ["send.py", "mails"])
def test_a_link_that_leads_outside_the_project_is_a_problem(tmp_path: Path, name: str) -> None:
    project = SmallProject(tmp_path / "project")
    elsewhere = tmp_path / "elsewhere" / name
    elsewhere.parent.mkdir()
    elsewhere.write_text("") if name.endswith(".py") else elsewhere.mkdir()
    (project.folder / name).symlink_to(elsewhere)

    assert codes(project) == [("DEF012", f"src/defer/{name}")]


def test_a_link_to_a_folder_above_ends(project: SmallProject) -> None:
    project.write("send.py", "")
    (project.folder / "loop").symlink_to(project.folder)

    assert names(project) == ["send.py"]


def test_a_link_to_nothing_is_a_problem(project: SmallProject) -> None:
    (project.folder / "send.py").symlink_to(project.root / "gone.py")

    assert codes(project) == [("DEF008", "src/defer/send.py")]


def test_a_pipe_is_never_read(project: SmallProject) -> None:
    os.mkfifo(project.folder / "send.py")

    assert codes(project) == [("DEF008", "src/defer/send.py")]
