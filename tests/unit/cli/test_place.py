"""Where a data folder would be lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from defer_cli.cli.place import why_a_deploy_replaces


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
