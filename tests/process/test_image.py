"""The image that `defer export` describes, built and run as far as that goes without Docker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.acceptance.exporting import compose_of
from tests.acceptance.pages import free_port
from tests.process.harness import Project, Runner, until
from tests.process.image import Stage, build

ROOT = Path(__file__).parents[2]
TOKEN = "test-token"
LOOK = """
@defer
async def look():
    return {
        "uid": os.getuid(),
        "files": sorted(os.listdir("/app")),
        "token": [name for name in os.environ if "TOKEN" in name],
        "can_write": [place for place in ("/app", "/tmp", "/venv", "/data") if os.access(place, os.W_OK)],
    }
"""
HOLD = """
@defer
async def hold():
    print("held", flush=True)
    await asyncio.sleep(1 if current_execution().attempt > 1 else 600)
"""
pytestmark = [pytest.mark.slow, pytest.mark.process, pytest.mark.timeout(600)]


class Containers:
    """Containers of one image on one volume, one after the other."""

    def __init__(self, project: Project, image: Stage) -> None:
        self._image = image
        self._volume = project.data = project.root.parent / "volume"
        self._volume.mkdir(mode=0o700)
        os.chown(self._volume, 10_001, 10_001)
        compose = compose_of(project.root / "compose.yaml", {"DEFER_TOKEN": TOKEN})
        self.service = compose["services"]["runner"]
        self._running: list[Runner] = []

    def start(self) -> Runner:
        process = self._image.start(self.service["command"], self.service["environment"], data=self._volume)
        self._running.append(Runner(process, self._volume))
        self._running[-1].until_line("runner ready")
        return self._running[-1]

    def is_healthy(self) -> bool:
        kind, python, *rest = self.service["healthcheck"]["test"]
        assert (kind, python) == ("CMD", "python")
        return subprocess.run([sys.executable, *rest], check=False, capture_output=True, timeout=30).returncode == 0

    def end(self) -> None:
        for runner in self._running:
            runner.kill()


def send(runner: Runner, number: int) -> None:
    """Signal process 1 from outside."""
    (first,) = Path(f"/proc/{runner.pid}/task/{runner.pid}/children").read_text().split()
    os.kill(int(first), number)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, Stage, int]:
    """Export, make the wheel, build."""
    folder = tmp_path_factory.mktemp("image")
    project, port = Project(folder / "project"), free_port()
    project.write(look=LOOK, hold=HOLD)
    (project.root / ".env").write_text("DEFER_SLOTS=7\n")
    exporting = project.command("export", "compose", "--port", str(port), "--grace", "2s", "--workers", "1")
    said, _ = exporting.communicate(timeout=60)
    assert exporting.returncode == 0, said
    wheel = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(project.root / "wheels"), str(ROOT)]
    subprocess.run(wheel, check=True, timeout=120)
    return project, build(project.root, folder / "stages"), port


@pytest.fixture
def containers(image: tuple[Project, Stage, int]) -> Iterator[Containers]:
    project, stage, _ = image
    made = Containers(project, stage)
    yield made
    made.end()


def test_the_image_runs_heals_and_keeps_what_it_accepted(
    containers: Containers, image: tuple[Project, Stage, int]
) -> None:
    project, stage, port = image
    runner = containers.start()
    with runner.client() as client:
        seen = project.result(client.run("look"))
        held = client.call("hold")
        until(lambda: project.lines(held), "it runs")

    assert (seen["uid"], seen["token"], seen["can_write"]) == (10_001, [], ["/tmp", "/data"])
    assert ".env" not in seen["files"]
    assert containers.is_healthy()
    assert httpx.get(f"http://127.0.0.1:{port}/public/v2/functions").status_code == 401
    assert "applications must be told" not in runner.output
    assert "slots=7" in runner.output, "what .env sets was written into the files: it stays outside itself"

    send(runner, signal.SIGKILL)  # process 1, and so the whole container
    runner.wait()
    assert not containers.is_healthy()
    again = containers.start()
    until(lambda: project.get(held).state == "succeed", "the next container ran it again")
    send(again, signal.SIGTERM)

    assert again.wait() == 0
    assert project.outcomes(held) == ["loss", "succeed"]
    assert stage.last["CMD"].words == containers.service["command"]
    print(f"image built and run as {seen['uid']}; killed, started again: {project.outcomes(held)}")
