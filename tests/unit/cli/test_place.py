"""Whose executions a command looks at, and where a data folder would be lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from defer_cli.cli.place import find_data, why_a_deploy_replaces
from defer_cli.domain.errors import SettingError
from defer_cli.link.inbox import write_entry
from tests.store.harness import call


def why(data: Path, project: Path) -> str | None:
    return why_a_deploy_replaces(str(data), project=str(project))


def test_a_folder_in_the_project_stays(tmp_path: Path) -> None:
    assert why(tmp_path / ".defer", tmp_path) is None


def test_a_folder_behind_the_link_current_goes(tmp_path: Path) -> None:
    (tmp_path / "v7").mkdir()
    (tmp_path / "current").symlink_to("v7")

    assert "current" in (why(tmp_path / "current" / ".defer", tmp_path / "current") or "")


def test_a_folder_named_current_is_no_link(tmp_path: Path) -> None:
    (tmp_path / "current").mkdir()

    assert why(tmp_path / "current" / ".defer", tmp_path / "current") is None


@pytest.mark.parametrize("place", ["releases/20261123/.defer", "lib/python3.11/site-packages/app/.defer"])
def test_a_folder_that_is_filled_anew_goes(place: str, tmp_path: Path) -> None:
    assert why(tmp_path / place, tmp_path) is not None


def test_a_temporary_folder_of_a_project_that_stays_goes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("defer_cli.cli.place.gettempdir", lambda: str(tmp_path))

    assert why(tmp_path / "data", Path("/srv/app")) is not None


def test_a_data_folder_needs_no_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    place = find_data(None, "data")

    assert (place.project, place.data.path) == (None, str(tmp_path / "data"))
    assert place.function_files() == {}
    assert not place.has_store()


def test_a_named_project_must_be_there_whatever_the_data_folder(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="there is no folder"):
        find_data(str(tmp_path / "none"), str(tmp_path))


def test_without_a_data_folder_there_must_be_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DEFER_DATA", raising=False)
    with pytest.raises(SettingError, match="no defer project"):
        find_data(None, None)


def test_calls_in_the_inbox_are_something_stored(tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    place = find_data(None, str(tmp_path))
    before = place.has_store()
    write_entry(place.data, [call()])

    assert (before, place.has_store()) == (False, True)
