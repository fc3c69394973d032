"""Every command of docs/http.md works, and answers what the page says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.pages import Reader, blocks, free_port, shell


@pytest.mark.process
def test_the_commands_answer_what_the_page_says(tmp_path: Path) -> None:
    port = str(free_port())
    with shell(tmp_path, env={"DEFER_PORT": port}) as typed:
        reader = Reader(typed, tmp_path, {"defer run": "runner ready"}, {"3337": port})
        reader.follow(blocks("http.md"))
