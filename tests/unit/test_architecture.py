"""The shape of the code: floors, sizes, docstrings, and what an import may load."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LONGEST = 400
FOLDERS = ("defer_cli", "tests", "sample_app", "benchmarks", "docs")
MODULES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
HEAVY = set("asyncio msgspec croniter sqlite3 typer rich apscheduler starlette uvicorn httpx slack_sdk".split())
LEFT_OVER = [word.upper() for word in ("todo", "fixme", "xxx")]

CONTRACTS = {
    contract["id"]: contract["name"]
    for contract in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
}
VIOLATIONS = {
    "floors": ("domain/ids.py", "import defer_cli.intake"),
    "store": ("store/contract.py", "import defer_cli.link.frames"),
    "public": ("__init__.py", "import defer_cli.reports"),
    "siblings": ("domain/errors.py", "import defer_cli.domain.duration"),
    "only-cli": ("reports.py", "import rich"),
    "only-alarm": ("engine/dispatcher.py", "import apscheduler"),
    "only-sqlite": ("store/writer.py", "import sqlite3"),
    "only-cron": ("engine/dispatcher.py", "import croniter"),
    "only-web": ("cli/__init__.py", "import starlette"),
    "only-http": ("client/lanes.py", "import httpx"),
    "only-spans": ("client/tracing.py", "import opentelemetry.trace"),
    "only-alerts": ("alerts/sending.py", "import slack_sdk"),
}


def lint_imports(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-logo", "--no-cache", *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_every_contract_holds() -> None:
    checked = lint_imports(ROOT)

    assert checked.returncode == 0, checked.stdout


def test_every_contract_has_a_violation_that_proves_it() -> None:
    assert VIOLATIONS.keys() == CONTRACTS.keys()


@pytest.mark.parametrize("contract", VIOLATIONS)
def test_a_violation_breaks_its_contract(contract: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "defer_cli", tmp_path / "defer_cli", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    module, line = VIOLATIONS[contract]
    with (tmp_path / "defer_cli" / module).open("a") as source:
        source.write(f"\n{line}\n")

    checked = lint_imports(tmp_path, "--contract", contract)

    assert checked.returncode != 0
    assert f"{CONTRACTS[contract]} BROKEN" in checked.stdout


def test_every_file_is_short() -> None:
    assert [named(path) for path in MODULES if len(path.read_text().splitlines()) > LONGEST] == []


def says_what_it_owns(source: str) -> bool:
    return not source.strip() or ast.get_docstring(ast.parse(source)) is not None


def test_every_module_says_what_it_owns() -> None:
    assert [named(path) for path in MODULES if not says_what_it_owns(path.read_text())] == []


def test_nothing_is_left_to_do_without_its_reason() -> None:
    word = re.compile(rf"\b(?:{'|'.join(LEFT_OVER)})\b(?!\([^)]+\): \S).*")
    left = {named(path): found for path in MODULES if (found := word.findall(path.read_text()))}

    assert len(MODULES) > 700
    assert left == {}


@pytest.mark.parametrize("statement", ["import defer_cli", "from defer_cli import defer"])
def test_the_library_loads_nothing_heavy(statement: str) -> None:
    code = f"import sys; before = set(sys.modules); {statement}; print(*(set(sys.modules) - before))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)

    assert HEAVY & set(shown.stdout.split()) == set()
