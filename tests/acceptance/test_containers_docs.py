"""The compose file of docs/containers.md, without Docker: its commands run as processes, in its environment."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml  # type: ignore[import-untyped]

from tests.acceptance.pages import DOCS, Block, Reader, Shell, blocks, free_port, shell

PAGE = blocks("containers.md")
READY = {"runner": "runner ready", "web": "Uvicorn running on"}
KNOWN = {
    "build",
    "command",
    "environment",
    "volumes",
    "healthcheck",
    "stop_grace_period",
    "restart",
    "ports",
    "depends_on",
}


def file_named(name: str) -> str:
    (text,) = [block.text for block in PAGE if block.name == name]
    return text


COMPOSE: dict[str, Any] = yaml.safe_load(file_named("compose.yaml"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


class Up:
    """What `docker compose up` would start: a copy of the project for each service, and ports of this machine."""

    def __init__(self, typed: Shell, folder: Path) -> None:
        self._typed = typed
        self._folder = folder
        self.port, self.web_port = str(free_port()), str(free_port())
        self.here = {
            "http://runner:3337": f"http://127.0.0.1:{self.port}",
            "3337": self.port,
            "8000": self.web_port,
            "/data": str(folder / "volume"),
        }

    def start(self, name: str) -> None:
        """Start a service, and wait until it is healthy."""
        service = SERVICES[name]
        copy = self._folder / name
        shutil.copytree(self._folder / "project", copy)
        words = [f'{variable}="{value}"' for variable, value in service["environment"].items()]
        own = f"DEFER_PORT={self.port}" if name == "runner" else ""
        command = f"env -C {copy} -u DEFER_TOKEN {own} {' '.join(words)} {service['command']}"
        self._typed.start(self._here(command), READY[name])
        if "healthcheck" in service:
            kind, *check = service["healthcheck"]["test"]
            assert kind == "CMD"
            assert self._typed.type(self._here(shlex.join(check))) == (0, "")

    def _here(self, text: str) -> str:
        for written, meant in self.here.items():
            text = text.replace(written, meant)
        return text


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    """Follow the page with processes where it says Docker."""
    (tmp_path / "project").mkdir()
    with shell(tmp_path / "project", env={"DEFER_PORT": "off"}) as typed:
        up = Up(typed, tmp_path)
        reader = Reader(typed, tmp_path / "project", {}, up.here)
        place = next(number for number, block in enumerate(PAGE) if "docker compose up" in block.text)
        reader.follow(PAGE[:place])
        for name in SERVICES:
            up.start(name)
        reader.follow(PAGE[place + 1 :])
        yield up


@pytest.mark.process
def test_the_application_reaches_the_runner_by_what_the_file_says(up: Up, tmp_path: Path) -> None:
    assert (tmp_path / "volume" / "defer.db").exists()
    assert not (tmp_path / "web" / ".defer").exists()
    assert not (tmp_path / "web" / "src" / "defer" / ".defer").exists()
    health = f"http://127.0.0.1:{up.port}/health"
    asked = {host: httpx.get(health, headers={"Host": host}).status_code for host in ("runner:3337", "other:3337")}
    assert asked == {"runner:3337": 200, "other:3337": 403}
    assert httpx.get(f"http://127.0.0.1:{up.port}/public/v2/functions").status_code == 401


def test_the_file_hangs_together() -> None:
    runner, web = SERVICES["runner"], SERVICES["web"]

    assert KNOWN.issuperset(word for service in SERVICES.values() for word in service)
    assert runner["volumes"] == [f"{name}:/data" for name in COMPOSE["volumes"]]
    assert web["depends_on"] == {"runner": {"condition": "service_healthy"}}
    assert "ports" not in runner
    assert runner["environment"]["DEFER_TOKEN"] == web["environment"]["DEFER_TOKEN"]
    assert float(runner["stop_grace_period"].rstrip("s")) > float(runner["command"].split()[-1].rstrip("s"))


def test_every_block_of_the_page_is_tried_or_said_not_to_be() -> None:
    def is_told(block: Block) -> bool:
        return block.kind == "console" or block.name in {"src/web.py", "compose.yaml", "Dockerfile"}

    assert all(is_told(block) for block in PAGE)
    assert (DOCS / "containers.md").read_text().count("```") == 2 * len(PAGE)
    assert "the image itself they do not build" in (DOCS / "containers.md").read_text()
    assert "COPY wheels/ /wheels/" in file_named("Dockerfile")
