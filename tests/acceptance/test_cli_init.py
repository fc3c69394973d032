"""`defer init`."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

from tests.acceptance.command import defer, environment


def content(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_what_it_writes_passes_the_check(tmp_path: Path) -> None:
    assert defer(tmp_path, "init").code == 0

    assert defer(tmp_path, "check").code == 0


def test_the_tests_it_writes_pass_with_plain_pytest(tmp_path: Path) -> None:
    defer(tmp_path, "init")
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:asyncio", "-p", "no:anyio"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert "2 passed" in tested.stdout
    assert not (tmp_path / ".defer").exists()


def test_it_says_what_it_wrote_and_what_to_type_next(tmp_path: Path) -> None:
    answer = defer(tmp_path, "init")

    assert "wrote   src/defer/send_greeting.py" in answer.out
    assert "defer dev" in answer.err


def test_twice_changes_nothing(tmp_path: Path) -> None:
    defer(tmp_path, "init")
    (tmp_path / "src" / "defer" / "send_greeting.py").write_text("# mine\n")
    before = content(tmp_path)

    again = defer(tmp_path, "init")

    assert again.code == 0
    assert content(tmp_path) == before
    assert all(line.startswith("left ") for line in again.out.splitlines())


def test_settings_are_added_to_a_pyproject(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "shop"')

    defer(tmp_path, "init")

    table = tomllib.loads((tmp_path / "pyproject.toml").read_text())
    assert table == {"project": {"name": "shop"}, "tool": {"defer": {"directory": "src/defer"}}}


def test_a_pyproject_that_cannot_be_added_to_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("tool = {}\n")

    answer = defer(tmp_path, "init")

    assert (tmp_path / "pyproject.toml").read_text() == "tool = {}\n"
    assert "left    pyproject.toml" in answer.out


def test_a_damaged_pyproject_exits_3_before_anything_is_written(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool\n")

    assert defer(tmp_path, "init").code == 3
    assert sorted(content(tmp_path)) == ["pyproject.toml"]


def test_it_uses_the_folder_that_the_settings_name(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.defer]\ndirectory = "jobs"\n')

    defer(tmp_path, "init")

    assert (tmp_path / "jobs" / "send_greeting.py").exists()
    assert defer(tmp_path, "check").code == 0
