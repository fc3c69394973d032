"""What the browser tests stand on: where it is missing they fail, and say what to do."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.browser.axe import HERE
from tests.browser.chromium import NoChromium, path_of_chromium

_ROOT = HERE.parent.parent


def test_no_chromium_is_a_failure_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHROMIUM", "/nowhere/chromium")

    with pytest.raises(NoChromium, match="apt-get install chromium"):
        path_of_chromium()


@pytest.mark.parametrize(("code", "words"), [(0, "update"), (100, "the tests need Chromium: apt-get install")])
def test_make_installs_chromium_or_says_that_it_cannot(tmp_path: Path, code: int, words: str) -> None:
    (tmp_path / "apt-get").write_text(f'#!/bin/sh\necho "$@"\nexit {code}\n')
    (tmp_path / "apt-get").chmod(0o755)
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(
        ["make", "test", "CHROMIUM=/nowhere/chromium", "READY=", f"BIN={tmp_path}"],
        cwd=_ROOT,
        env={**outside, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert done.returncode != 0
    assert words in done.stdout + done.stderr
    assert ("install --yes --quiet chromium" in done.stdout) is (code == 0)


def test_axe_is_pinned() -> None:
    package = json.loads((HERE / "package.json").read_text())
    lock = json.loads((HERE / "package-lock.json").read_text())["packages"]["node_modules/axe-core"]

    assert package["dependencies"]["axe-core"] == lock["version"]
    assert lock["version"].startswith("4.")
    assert lock["integrity"].startswith("sha512-")
