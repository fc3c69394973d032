"""Every file and command of docs/node.md works, with the versions it names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.acceptance.pages import Reader, blocks, free_port, shell
from tests.node.machine import HERE, NODE, install_modules


@pytest.mark.process
@pytest.mark.timeout(300)
def test_who_follows_the_page_gets_through(tmp_path: Path) -> None:
    install_modules()
    (tmp_path / "node_modules").symlink_to(HERE / "node_modules")  # what `npm install` of the page would bring
    port, port_of_app = str(free_port()), str(free_port())
    lasting = {"defer run": "runner ready", "node app.mjs": "listens"}
    here = {"3337": port, "3000": port_of_app, "npm install": ": npm install"}

    with shell(tmp_path, path=[Path(NODE).parent], env={"DEFER_PORT": port}) as typed:
        Reader(typed, tmp_path, lasting, here).follow(blocks("node.md"))


def test_the_page_installs_what_the_tests_have() -> None:
    pinned = json.loads((HERE / "package.json").read_text())["dependencies"]
    commands = [command for block in blocks("node.md") for command, _ in block.commands()]
    (install,) = [command for command in commands if command.startswith("npm")]

    assert install.split()[2:] == [f"{name}@{pinned[name]}" for name in ("@defer/client", "express")]
