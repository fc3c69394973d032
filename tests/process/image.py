"""Builds the image of a Dockerfile without Docker: on this machine's own files instead of `python:…-slim`, as root.

Each stage is an overlay over them, so what its instructions write goes nowhere else. A container is such an overlay
with a process 1 of its own; its network is the machine's.
"""

from __future__ import annotations

import fnmatch
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.acceptance.exporting import Instruction, dockerfile_of

_MOUNTED = """
set -e
mount -t overlay overlay -o "lowerdir=/,upperdir=$UPPER,workdir=$WORK" "$ROOT"
mount --rbind /dev "$ROOT/dev"
"""
_BUILD_SECONDS = 300


class Stage:
    """What a stage has come to."""

    def __init__(self, folder: Path) -> None:
        self.upper, self.work, self.root = (folder / name for name in ("upper", "work", "root"))
        for path in (self.upper, self.work, self.root):
            path.mkdir(parents=True)
        self.upper.chmod(0o755)
        self.environment = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"}
        self.folder = "/"
        self.user = "0:0"
        self.last: dict[str, Instruction] = {}

    @property
    def _places(self) -> dict[str, str]:
        return {"UPPER": str(self.upper), "WORK": str(self.work), "ROOT": str(self.root)}

    def run(self, script: str) -> None:
        """Run a command as RUN does."""
        pip = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_", "REQUESTS_"))}
        inside = [f"{name}={value}" for name, value in (pip | self.environment).items()]
        command = ["chroot", str(self.root), "env", "-i", "-C", self.folder, *inside, "sh", "-c", script]
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", f'{_MOUNTED}mount -t proc proc "$ROOT/proc"\nexec "$@"', "sh", *command],
            env=os.environ | self._places,
            capture_output=True,
            text=True,
            check=False,
            timeout=_BUILD_SECONDS,
        )
        assert done.returncode == 0, f"RUN {script}\n{done.stdout}{done.stderr}"

    def start(self, words: list[str], environment: dict[str, str], *, data: Path) -> subprocess.Popen[str]:
        """Start a container: only its volume and /tmp can be written."""
        script = (
            f'{_MOUNTED}mount -t proc proc "$ROOT/proc"\nmount --bind "$DATA" "$ROOT/data"\n'
            'mount -t tmpfs -o mode=1777 tmpfs "$ROOT/tmp"\nmount -o remount,ro "$ROOT"\nexec "$@"'
        )
        inside = [f"{name}={value}" for name, value in (self.environment | environment).items()]
        command = ["chroot", "--userspec", self.user, str(self.root), "env", "-i", "-C", self.folder, *inside, *words]
        return subprocess.Popen(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script, "sh", *command],
            env=os.environ | self._places | {"DATA": str(data)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


def build(context: Path, folder: Path) -> Stage:
    """Return the last stage of the Dockerfile in ``context``."""
    stages: dict[str, Stage] = {}
    stage: Stage | None = None
    for line in dockerfile_of(context / "Dockerfile"):
        if line.name == "FROM":
            name = line.rest.partition(" AS ")[2] or "last"
            stage = stages[name] = Stage(folder / name)
            _lay_python(stage)
            continue
        assert stage is not None
        stage.last[line.name] = line
        _DO[line.name](stage, line.rest, context, stages)
    assert stage is not None
    return stage


def _lay_python(stage: Stage) -> None:
    """Have this Python be called `python`, for everybody to run, as the official image has it."""
    folder, name = os.path.split(os.path.realpath(sys.executable))
    above = [str(path) for path in Path(folder, name).parents][:-1]
    stage.environment["PATH"] = f"{folder}:{stage.environment['PATH']}"
    stage.run(f"chmod a+rx {' '.join(above)} && ln -sf {name} {folder}/python")


def _copy(stage: Stage, rest: str, context: Path, stages: dict[str, Stage]) -> None:
    words = rest.split()
    source = stages[words.pop(0).removeprefix("--from=")].upper if words[0].startswith("--from=") else context
    *names, target = words
    place = stage.upper / os.path.join(stage.folder, target).lstrip("/")
    ignored = [] if source != context else (context / ".dockerignore").read_text().splitlines()
    for name in names:
        found = source / name.lstrip("/")
        if found.is_dir():
            shutil.copytree(found, place, symlinks=True, dirs_exist_ok=True, ignore=_without(ignored))
        else:
            place.mkdir(parents=True, exist_ok=True)
            shutil.copy(found, place)


def _without(patterns: list[str]) -> Callable[[str, list[str]], set[str]]:
    wanted = [pattern.removeprefix("**/").rstrip("/") for pattern in patterns if pattern and pattern[0] != "#"]

    def ignored(folder: str, names: list[str]) -> set[str]:
        return {name for name in names for pattern in wanted if fnmatch.fnmatch(name, pattern)}

    return ignored


def _set(stage: Stage, rest: str, *_: object) -> None:
    for word in rest.split():
        name, value = word.split("=", 1)
        stage.environment[name] = value.replace("$PATH", stage.environment["PATH"])


def _change_folder(stage: Stage, rest: str, *_: object) -> None:
    (stage.upper / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
    stage.folder = rest


def _run(stage: Stage, rest: str, *_: object) -> None:
    stage.run(rest)


def _become(stage: Stage, rest: str, *_: object) -> None:
    stage.user = rest


def _keep(*_: object) -> None:
    """Be looked at later."""


_DO: dict[str, Callable[[Stage, str, Path, dict[str, Stage]], None]] = {
    "COPY": _copy,
    "ENV": _set,
    "WORKDIR": _change_folder,
    "RUN": _run,
    "USER": _become,
    **dict.fromkeys(("VOLUME", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "CMD"), _keep),
}
