"""Every block of docs/retention.md works, and says what the page says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.pages import Reader, blocks, shell


@pytest.mark.process
def test_the_blocks_work_as_the_page_says(tmp_path: Path) -> None:
    with shell(tmp_path) as typed:
        Reader(typed, tmp_path, {}, {}).follow(blocks("retention.md"))
