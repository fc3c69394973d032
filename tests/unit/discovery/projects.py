"""Small projects on disk: a folder of function files, and what discovery says of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from textwrap import dedent

from defer_cli.discovery.discover import DEADLINE, Discovery, discover
from defer_cli.domain.function import Problem


class SmallProject:
    """A project whose functions lie in ``src/defer``."""

    def __init__(self, root: Path, *, folder: str = "src/defer") -> None:
        self.root = root
        self.folder = root / folder
        self.folder.mkdir(parents=True)
        (self.folder / "__init__.py").touch()

    def write(self, name: str, text: str, *, at: str | None = None) -> Path:
        """Write a file of the defer folder (or of ``at``, from the root) that has imported ``defer``."""
        path = (self.folder if at is None else self.root / at) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("from defer_cli import defer\n" + dedent(text))
        return path

    def discover(self, *, deadline: timedelta = DEADLINE, environ: Mapping[str, str] | None = None) -> Discovery:
        if environ is None:
            return discover(self.root, self.folder, deadline=deadline)
        return discover(self.root, self.folder, deadline=deadline, environ=environ)

    def problems(self) -> tuple[Problem, ...]:
        return self.discover().problems

    def problem(self) -> Problem:
        """Return the one problem there is."""
        (problem,) = self.problems()
        return problem


def right(name: str) -> str:
    """Return the text of a file that is right."""
    return f"@defer\nasync def {name}(user_id: int = 1) -> None: ...\n"
