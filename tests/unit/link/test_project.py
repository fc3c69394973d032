"""Where a project is, seen from anywhere inside it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from defer_cli.domain.errors import SettingError
from defer_cli.link.project import (
    DataFolder,
    data_folder,
    find_root,
    functions_folder,
    point_to,
    project_root,
    root_of_file,
    setting,
)


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEFER_DATA", raising=False)
    monkeypatch.delenv("DEFER_DIRECTORY", raising=False)


def write(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_project_is_found_from_its_functions_and_from_its_source_folder(tmp_path: Path) -> None:
    file = write(tmp_path / "src" / "defer" / "mail" / "send.py")

    assert find_root(str(file)) == str(tmp_path)
    assert find_root(str(tmp_path / "src" / "defer")) == str(tmp_path)
    assert find_root(str(tmp_path / "src")) == str(tmp_path)
    assert find_root(str(tmp_path)) == str(tmp_path)


def test_a_project_may_have_its_functions_at_the_top(tmp_path: Path) -> None:
    file = write(tmp_path / "defer" / "send.py")

    assert find_root(str(file)) == str(tmp_path)


def test_a_folder_that_is_merely_called_defer_makes_no_project(tmp_path: Path) -> None:
    write(tmp_path / "defer" / "notes.txt")
    inner = write(tmp_path / "app" / "defer" / "send.py")

    assert find_root(str(inner)) == str(tmp_path / "app")
    assert find_root(str(tmp_path / "defer")) != str(tmp_path)


def test_a_table_in_pyproject_makes_a_project(tmp_path: Path) -> None:
    write(tmp_path / "pyproject.toml", '[tool.defer]\ndirectory = "jobs"\n')

    assert find_root(str(write(tmp_path / "jobs" / "send.py"))) == str(tmp_path)
    assert functions_folder(str(tmp_path)) == str(tmp_path / "jobs")


def test_a_pyproject_that_says_nothing_of_defer_makes_none(tmp_path: Path) -> None:
    write(tmp_path / "inner" / "pyproject.toml", '[project]\nname = "defer"\n')
    write(tmp_path / "defer" / "send.py")

    assert find_root(str(tmp_path / "inner")) == str(tmp_path)


def test_the_nearest_project_counts(tmp_path: Path) -> None:
    write(tmp_path / "pyproject.toml", "[tool.defer]\n")
    file = write(tmp_path / "service" / "src" / "defer" / "send.py")

    assert find_root(str(file)) == str(tmp_path / "service")


def test_a_broken_pyproject_is_an_error_that_names_it(tmp_path: Path) -> None:
    write(tmp_path / "pyproject.toml", "[tool.defer\n")

    with pytest.raises(SettingError, match=r"pyproject.toml: it is not valid TOML"):
        find_root(str(tmp_path))


def test_the_functions_folder_is_given_then_set_then_found(tmp_path: Path) -> None:
    (tmp_path / "src" / "defer").mkdir(parents=True)

    assert functions_folder(str(tmp_path)) == str(tmp_path / "src" / "defer")
    assert functions_folder(str(tmp_path), given="lib/jobs") == str(tmp_path / "lib" / "jobs")
    assert functions_folder(str(tmp_path / "src")) == str(tmp_path / "src" / "defer")


def test_a_command_outside_every_project_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/proc")

    with pytest.raises(SettingError, match="no defer project here"):
        project_root()
    with pytest.raises(SettingError, match="there is no folder"):
        project_root(given=str(tmp_path / "absent"))


def test_the_data_folder_is_given_then_in_the_environment_then_dotenv_then_pyproject(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = str(tmp_path)
    assert data_folder(root).path == str(tmp_path / ".defer")

    write(tmp_path / "pyproject.toml", '[tool.defer]\ndata = "from-table"\n')
    assert data_folder(root).path == str(tmp_path / "from-table")

    write(tmp_path / ".env", "DEFER_DATA=/from/dotenv\n")
    assert data_folder(root).path == "/from/dotenv"

    monkeypatch.setenv("DEFER_DATA", "from-environment")
    assert data_folder(root).path == str(tmp_path / "from-environment")

    monkeypatch.chdir(tmp_path.parent)
    assert data_folder(root, given="from-flag").path == str(tmp_path.parent / "from-flag")


def test_an_empty_variable_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEFER_DATA", "")

    assert data_folder(str(tmp_path)).path == str(tmp_path / ".defer")


def test_a_setting_that_is_no_text_is_an_error(tmp_path: Path) -> None:
    write(tmp_path / "pyproject.toml", "[tool.defer]\ndata = 3\n")

    with pytest.raises(SettingError, match="data is 3"):
        setting(str(tmp_path), "data")


def test_a_pointer_is_followed_until_it_is_cleared(tmp_path: Path) -> None:
    root, default = str(tmp_path), DataFolder(str(tmp_path / ".defer"))
    elsewhere = DataFolder(str(tmp_path / "elsewhere"))
    elsewhere.create()

    point_to(root, elsewhere)
    assert data_folder(root) == elsewhere

    point_to(root, default)
    assert data_folder(root) == default


def test_a_pointer_to_a_folder_that_is_gone_is_not_followed(tmp_path: Path) -> None:
    point_to(str(tmp_path), DataFolder(str(tmp_path / "gone")))

    assert data_folder(str(tmp_path)).path == str(tmp_path / ".defer")


def test_the_data_folder_is_its_owners_only_and_ignored_by_git(tmp_path: Path) -> None:
    folder = DataFolder(str(tmp_path / ".defer"))
    folder.create()

    assert os.stat(folder.path).st_mode & 0o777 == 0o700
    assert (tmp_path / ".defer" / ".gitignore").read_text() == "*\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_root_makes_belongs_to_the_folders_owner(tmp_path: Path) -> None:
    os.chown(tmp_path, 1234, 1234)
    folder = DataFolder(str(tmp_path / "deep" / ".defer"))
    folder.create()

    assert {os.stat(path).st_uid for path in (folder.path, os.path.join(folder.path, ".gitignore"))} == {1234}


def test_a_file_outside_every_project_goes_where_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEFER_DATA", str(tmp_path))

    assert data_folder(root_of_file("/proc/app.py")).path == str(tmp_path)
