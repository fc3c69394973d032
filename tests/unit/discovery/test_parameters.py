"""Names of parameters, read from a file that is never imported."""

from __future__ import annotations

from pathlib import Path

import pytest

from defer_cli.discovery.parameters import parameter_names


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "login.py"


def test_names_are_read_without_running_the_file(file: Path) -> None:
    file.write_text(
        "raise SystemExit\n\n@defer(retry=False)\nasync def login(user, /, password, *more, force=0): ...\n"
    )

    assert parameter_names(file, "login") == (["user", "password"], "more")


@pytest.mark.parametrize("source", ["login = defer(other)", "async def login(", "\0", "async def other(user): ..."])
def test_nothing_is_known_of_what_is_not_in_plain_sight(source: str, file: Path) -> None:
    file.write_text(source)

    assert parameter_names(file, "login") == ([], None)


def test_nothing_is_known_of_a_file_that_is_not_there(file: Path) -> None:
    assert parameter_names(file, "login") == ([], None)
