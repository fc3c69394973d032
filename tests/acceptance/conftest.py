"""A fresh project for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.command import write_function


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project with a function, a function that fails and a cron."""
    write_function(
        tmp_path, "greet", "@defer\nasync def greet(name: str, times: int = 1) -> str:\n    return name * times\n"
    )
    write_function(tmp_path, "weekly", '@defer.cron("0 8 * * MON")\nasync def weekly() -> int:\n    return 7\n')
    write_function(
        tmp_path,
        "broken",
        '@defer(retry=False)\nasync def broken() -> None:\n    raise ValueError("no\\x1b[31m way")\n',
    )
    (tmp_path / "pyproject.toml").write_text('[tool.defer]\ndirectory = "src/defer"\nworkers = 1\n')
    return tmp_path
