"""The real `@defer/client` against a real `defer run`: every call, filter and error it knows, each case a test."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.command import living
from tests.node.functions import write_functions
from tests.node.machine import HERE, NotInstalled, install_modules
from tests.node.scripts import Scripts, named_cases

TOKEN = "a token: with a colon"

pytestmark = [pytest.mark.process, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scripts]:
    """Return the scripts, with a runner for them to talk to."""
    install_modules()
    project = write_functions(tmp_path_factory.mktemp("project"))
    options = ("--port", "0", "--workers", "2", "--slots", "50")
    with living(project.root, "run", *options, ready="runner ready", env={"DEFER_TOKEN": TOKEN}) as runner:
        url = runner.line_with("runner ready").partition("url=")[2].split()[0]
        environment = {
            "DEFER_ENDPOINT": url,
            "DEFER_TOKEN": TOKEN,
            "NOTES": str(project.notes),
            "RUNNER": f"{socket.gethostname()}-{runner.process.pid}",
        }
        yield Scripts(environment, tmp_path_factory.mktemp("reports"))


@pytest.mark.parametrize(("script", "case"), named_cases())
def test_the_real_client(scripts: Scripts, script: str, case: str) -> None:
    why = scripts.failure(script, case)
    assert why is None, why


def test_the_client_is_pinned() -> None:
    package = json.loads((HERE / "package.json").read_text())
    lock = json.loads((HERE / "package-lock.json").read_text())["packages"]["node_modules/@defer/client"]

    assert package["dependencies"]["@defer/client"] == lock["version"] == "2.3.0"
    assert lock["integrity"].startswith("sha512-")


def test_modules_that_cannot_be_had_are_a_failure(tmp_path: Path) -> None:
    for name in ("package.json", "package-lock.json"):
        (tmp_path / name).write_bytes((HERE / name).read_bytes())
    nowhere = ("--registry=http://127.0.0.1:9", "--fetch-retries=0", f"--cache={tmp_path / 'cache'}")

    with pytest.raises(NotInstalled, match="ECONNREFUSED"):
        install_modules(tmp_path, options=nowhere)
    assert not os.path.exists(tmp_path / "node_modules")
