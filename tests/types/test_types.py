"""Type checkers accept what is right and refuse every line that is wrong."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
Checker: TypeAlias = Callable[[Path], Mapping[int, str]]


def by_mypy(file: Path) -> Mapping[int, str]:
    """Return the lines that mypy --strict complains about."""
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", str(file)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert ran.returncode in (0, 1), ran.stderr
    found = re.findall(rf"^{re.escape(str(file.relative_to(ROOT)))}:(\d+): error: (.*)$", ran.stdout, re.MULTILINE)
    return {int(line): message for line, message in found}


def by_pyright(file: Path) -> Mapping[int, str]:
    """Return the lines that pyright in strict mode (the file asks for it) complains about."""
    pyright = Path(sys.executable).with_name("pyright")
    command = [str(pyright), "--outputjson", "--pythonpath", sys.executable, str(file)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert ran.returncode in (0, 1), ran.stdout + ran.stderr
    answer = json.loads(ran.stdout)
    assert answer["summary"]["filesAnalyzed"] == 1
    found = answer["generalDiagnostics"]
    return {item["range"]["start"]["line"] + 1: item["message"] for item in found if item["severity"] == "error"}


def marked_lines(file: Path) -> set[int]:
    return {number for number, line in enumerate(file.read_text().splitlines(), start=1) if line.endswith("# wrong")}


@pytest.fixture(params=[by_mypy, by_pyright])
def check(request: pytest.FixtureRequest) -> Checker:
    checker: Checker = request.param
    return checker


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_type_checkers_accept_what_is_right(check: Checker) -> None:
    assert check(HERE / "right.py") == {}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_type_checkers_refuse_what_is_wrong_and_only_that(check: Checker) -> None:
    assert set(check(HERE / "wrong.py")) == marked_lines(HERE / "wrong.py")
