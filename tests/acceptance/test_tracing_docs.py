"""Every block of docs/tracing.md works, and the page tells every attribute that spans have."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.acceptance.pages import DOCS, Reader, blocks, shell

SPANS = Path(__file__).parents[2] / "defer_cli" / "client" / "spans.py"
ATTRIBUTE = re.compile(r"(?:defer|messaging|error)\.[a-z_.]+")


@pytest.mark.process
def test_the_blocks_work_as_the_page_says(tmp_path: Path) -> None:
    with shell(tmp_path) as typed:
        Reader(typed, tmp_path, {}, {}).follow(blocks("tracing.md"))


def test_every_attribute_is_told() -> None:
    told = re.findall(rf"^\| `({ATTRIBUTE.pattern})` \|", (DOCS / "tracing.md").read_text(), re.MULTILINE)
    written = re.findall(rf'"({ATTRIBUTE.pattern})"', SPANS.read_text())

    assert sorted(told) == sorted(set(written))
