"""The page for users shows nothing but what these tests serve and run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.acceptance.frameworks.serving import PROJECT
from tests.acceptance.frameworks.test_gunicorn import COMMAND
from tests.acceptance.frameworks.test_programs import CELLS, SCRIPTS
from tests.acceptance.frameworks.test_web import FRAMEWORKS

PAGE = (Path(__file__).parents[3] / "docs" / "frameworks.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
PYTHON = [content.split("\n", 1) for kind, content in BLOCKS if kind == "python"]


@pytest.mark.parametrize(("name", "content"), PYTHON, ids=[name for name, _ in PYTHON])
def test_each_paragraph_of_code_is_one_of_the_app_it_names(name: str, content: str) -> None:
    source = CELLS if name == "# cells" else (PROJECT / name.removeprefix("# ")).read_text()

    for paragraph in content.rstrip().split("\n\n\n"):
        assert f"\n{paragraph}\n" in source


def test_each_command_is_one_that_is_run() -> None:
    commands = [line.removeprefix("$ ") for kind, block in BLOCKS if kind == "console" for line in block.splitlines()]
    served = {framework.command for framework in FRAMEWORKS.values()} | {COMMAND}

    assert {command.removesuffix(" Ann Bob") for command in commands} == served | set(SCRIPTS)
