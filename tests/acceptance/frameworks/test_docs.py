"""The page for users shows nothing but what these tests serve and run."""

from __future__ import annotations

import pytest

from tests.acceptance.frameworks.serving import PROJECT
from tests.acceptance.frameworks.test_gunicorn import COMMAND
from tests.acceptance.frameworks.test_programs import CELLS, SCRIPTS
from tests.acceptance.frameworks.test_web import FRAMEWORKS
from tests.acceptance.pages import blocks

BLOCKS = blocks("frameworks.md")
PYTHON = [block.text.split("\n", 1) for block in BLOCKS if block.kind == "python"]


@pytest.mark.parametrize(("name", "content"), PYTHON, ids=[name for name, _ in PYTHON])
def test_each_paragraph_of_code_is_one_of_the_app_it_names(name: str, content: str) -> None:
    source = CELLS if name == "# cells" else (PROJECT / name.removeprefix("# ")).read_text()

    for paragraph in content.rstrip().split("\n\n\n"):
        assert f"\n{paragraph}\n" in source


def test_each_command_is_one_that_is_run() -> None:
    commands = [command for block in BLOCKS for command, _ in block.commands()]
    served = {framework.command for framework in FRAMEWORKS.values()} | {COMMAND}

    assert {command.removesuffix(" Ann Bob") for command in commands} == served | set(SCRIPTS)
