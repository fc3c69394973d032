"""Every block of docs/testing.md works, in a fresh project made by `defer init`."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from defer_cli.testing import Sandbox
from tests.acceptance.command import defer, environment

DOCS = Path(__file__).parents[2] / "docs" / "testing.md"
BLOCK = re.compile(r"^```(\w+)\n# ([\w./]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ROW = re.compile(r"^\| `(?:await )?sandbox\.(\w+)", re.MULTILINE)


def test_the_examples_pass(tmp_path: Path) -> None:
    defer(tmp_path, "init")
    blocks = BLOCK.findall(DOCS.read_text())
    for _, name, content in blocks:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        with path.open("a") as file:
            file.write(content)
    written = sum(content.count("def test_") for _, _, content in blocks)

    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", "tests"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )

    assert f"{written} passed" in tested.stdout, tested.stdout + tested.stderr
    assert DOCS.read_text().count("```") == 2 * len(blocks)
    assert defer(tmp_path, "check").code == 0


def test_all_that_a_sandbox_has_is_in_the_table() -> None:
    told = ROW.findall(DOCS.read_text())

    public = [name for name in vars(Sandbox) if not name.startswith("_")]
    assert sorted(told) == sorted([*public, "clock"])
