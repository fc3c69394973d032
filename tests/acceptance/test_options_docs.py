"""docs/options.md is what the code says: drawn from it, and nothing that the code takes is missing."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import defer_cli
from docs.draw_options import draw
from tests.acceptance.command import defer
from tests.acceptance.pages import DOCS

PAGE = (DOCS / "options.md").read_text()
CODE = Path(defer_cli.__file__).parent
VARIABLE = re.compile(r"DEFER_[A-Z_]*[A-Z]")


def variables_of_code() -> Iterator[str]:
    for path in CODE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and VARIABLE.fullmatch(node.value):
                yield node.value


def test_the_page_is_drawn_from_the_code() -> None:
    assert draw() == PAGE


def test_every_variable_that_the_code_names_is_told() -> None:
    told = set(re.findall(rf"`({VARIABLE.pattern})`", PAGE))

    assert set(variables_of_code()) <= told
    assert {"DEFER_TOKEN", "DEFER_WORKERS", "DEFER_RETENTION_MOST", "DEFER_ENDPOINT"} <= told


@pytest.mark.parametrize("command", ["run", "trigger", "executions", "export"])
def test_every_option_that_a_command_helps_with_is_told(tmp_path: Path, command: str) -> None:
    helped = set(re.findall(r"^  (?:-\w, )?(--[a-z-]+)", defer(tmp_path, command, "--help").out, re.MULTILINE)) - {
        "--help"
    }
    rows = re.findall(r"^\| `(--[a-z-]+)`.*\| ([^|]*) \|$", PAGE, re.MULTILINE)

    assert helped
    assert helped == {option for option, of in rows if of == "every command" or f"`{command}`" in of}


def test_no_cell_is_left_empty() -> None:
    assert not re.search(r"\|[ \t]+\|", PAGE)
