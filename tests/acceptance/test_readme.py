"""Every command of README.md works, in its order, in a fresh project."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.acceptance.command import DEADLINE_SECONDS, Living, environment, living
from tests.acceptance.pages import STAND_INS, blocks_in, free_port

ROOT = Path(__file__).parents[2]
USUAL_PORT = "3337"
READY = {"dev": "is ready", "run": '"runner ready"'}
LINK = re.compile(r"`((?:docs|defer_cli|sample_app)/[\w/.]*)`")


@dataclass
class Reader:
    """Somebody who types what the README says: a shell's folder, and the runner in the other terminal."""

    folder: Path
    commands: list[str] = field(default_factory=list)
    port: str = field(default_factory=lambda: str(free_port()))

    def follow(self, section: str) -> None:
        """Do what one section says; a runner it starts is stopped at its end."""
        with ExitStack() as stack:
            runners = []
            for block in blocks_in(section):
                if block.kind == "python":
                    self._write(block.text)
                for command in commands_of(block.text) if block.kind == "console" else ():
                    self.commands.append(command)
                    typed = command.replace(USUAL_PORT, self.port)
                    if is_lasting(command):
                        runners.append(stack.enter_context(self._start(typed)))
                    else:
                        self._run(typed)
            for runner in runners:
                assert runner.stop() == 0

    def _write(self, content: str) -> None:
        path = self.folder / content.split("\n", 1)[0].removeprefix("# ")
        path.write_text(content)

    def _start(self, command: str) -> AbstractContextManager[Living]:
        _, *words = command.split()
        return living(self.folder, *words, ready=READY[words[0]])

    def _run(self, command: str) -> None:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}{os.pathsep}{STAND_INS}"
        done = subprocess.run(
            ["bash", "-ec", f"{command}\npwd > {self.folder.parent / 'cwd'}"],
            cwd=self.folder,
            env=environment({"PATH": path}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=DEADLINE_SECONDS,
        )
        assert done.returncode == 0, f"$ {command}\n{done.stdout}{done.stderr}"
        assert '"error"' not in done.stdout, f"$ {command}\n{done.stdout}"  # curl ends well whatever is answered
        self.folder = Path((self.folder.parent / "cwd").read_text().strip())


def sections() -> Iterator[str]:
    return iter(re.split(r"^## ", (ROOT / "README.md").read_text(), flags=re.MULTILINE))


def commands_of(block: str) -> list[str]:
    typed = [line[2:] for line in block.splitlines() if line.startswith("$ ")]
    return [command.split("  #")[0].rstrip() for command in typed]


def is_lasting(command: str) -> bool:
    return command.startswith(("defer dev", "defer run")) and "--burst" not in command


def all_commands() -> list[str]:
    found = blocks_in((ROOT / "README.md").read_text())
    return [command for block in found if block.kind == "console" for command in commands_of(block.text)]


@pytest.mark.process
@pytest.mark.timeout(300)
def test_who_follows_the_readme_gets_through(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    reader = Reader(home)
    for section in sections():
        if not any(command.startswith(("make", "pip")) for command in commands_of(section)):
            reader.follow(section)

    assert [c for c in all_commands() if not c.startswith(("make", "pip"))] == reader.commands


@pytest.mark.parametrize("command", [command for command in all_commands() if command.startswith("make")])
def test_make_knows_what_the_readme_says(command: str) -> None:
    done = subprocess.run([*command.split(), "-n"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)

    assert done.returncode == 0, done.stderr


def test_the_way_to_install_is_the_one_that_installed_this() -> None:
    (command,) = [command for command in all_commands() if command.startswith("pip")]

    assert command == "pip install -e ."
    assert "pip install" in (ROOT / "Makefile").read_text()
    assert Path(sys.executable).with_name("defer").exists()


@pytest.mark.parametrize("place", sorted(set(LINK.findall((ROOT / "README.md").read_text()))))
def test_what_the_readme_names_is_there(place: str) -> None:
    assert (ROOT / place).exists()
