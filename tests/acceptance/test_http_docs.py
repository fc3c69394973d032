"""Every command of docs/http.md works, and answers what the page says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.pages import DOCS, Reader, blocks, free_port, shell


@pytest.mark.process
def test_the_commands_answer_what_the_page_says(tmp_path: Path) -> None:
    port = str(free_port())
    with shell(tmp_path, env={"DEFER_PORT": port}) as typed:
        reader = Reader(typed, tmp_path, {"defer run": "runner ready"}, {"3337": port})
        reader.follow(blocks("http.md"))


def test_every_line_of_code_is_a_command_that_is_run() -> None:
    page = blocks("http.md")

    assert {block.kind for block in page} == {"console"}
    assert (DOCS / "http.md").read_text().count("```") == 2 * len(page)
