"""A virtual environment for each peer, kept under .bench-peers/ until its requirements change."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).parent
CACHE = HERE.parent.parent / ".bench-peers"
_INSTALL_SECONDS = 300.0
_VERSIONS = """
import importlib.metadata, json, sys
print(json.dumps({name: importlib.metadata.version(name) for name in sys.argv[1:]}))
"""


def python_of(name: str) -> Path:
    """Return the Python of a peer's environment, which is made first where it is missing or out of date."""
    folder = CACHE / name
    wanted = f"{sys.version}\n{(HERE / 'requirements' / f'{name}.txt').read_text()}"
    stamp = folder / "installed.txt"
    python = folder / "bin" / "python"
    if not stamp.exists() or stamp.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, with_pip=True)
        command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run(
            [*command, "-r", str(HERE / "requirements" / f"{name}.txt")],
            check=True,
            capture_output=True,
            text=True,
            timeout=_INSTALL_SECONDS,
        )
        stamp.write_text(wanted)
    return python


def required(requirements: str) -> list[str]:
    """Return the names of the distributions that the lines of a requirements file ask for."""
    lines = [line.strip() for line in requirements.splitlines()]
    return [line.split(">")[0].split("[")[0] for line in lines if line]


def versions_of(name: str) -> dict[str, str]:
    """Return what is installed of what a peer's requirements name."""
    names = required((HERE / "requirements" / f"{name}.txt").read_text())
    asked = subprocess.run(
        [str(python_of(name)), "-c", _VERSIONS, *names], check=True, capture_output=True, text=True, timeout=60
    )
    return dict(json.loads(asked.stdout))
