"""What is to be deployed: a project, and its settings as the files that are written must repeat them."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from typing import Any

from defer_cli.domain.errors import SettingError
from defer_cli.domain.settings import Settings, given_settings, resolve_settings
from defer_cli.link.project import DataFolder, data_folder, dotenv, functions_folder, project_root, tool_table

ENDING_SECONDS = 20
"""After the grace: 5 s until what was cancelled is killed, 5 s to kill it, 5 s for the last answers, and a reserve."""
_FLAGS = ("workers", "slots", "log_format")
_ELSEWHERE = {*_FLAGS, "directory", "data", "host", "port", "grace"}
_LONGEST_NAME = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A project that is to be deployed."""

    project: Path
    name: str
    data: DataFolder
    settings: Settings
    given: Mapping[str, tuple[str, str]]
    """Each setting that is not left to its default, as text, and where it was written."""

    @property
    def slug(self) -> str:
        """The name in letters that files, services and images may have."""
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower())[:_LONGEST_NAME].strip("-") or "app"

    @property
    def grace(self) -> str:
        """How long a stop waits for what runs."""
        return f"{self.settings.grace.total_seconds():.15g}s"

    @property
    def stop_seconds(self) -> int:
        """How long a stop takes at most."""
        return ceil(self.settings.grace.total_seconds()) + ENDING_SECONDS

    def flags(self, *, has_dotenv: bool) -> list[str]:
        """Return the options that say what no file says that goes along; ``.env`` may be one of them, or not."""
        words: list[str] = []
        for name in _FLAGS:
            if name in self.given and not self._goes_along(name, has_dotenv=has_dotenv):
                words += [f"--{name.replace('_', '-')}", self.given[name][0]]
        return words

    def variables(self, *, has_dotenv: bool) -> dict[str, str]:
        """Return what no file says that goes along, and no option either."""
        return {
            f"DEFER_{name.upper()}": text
            for name, (text, _) in self.given.items()
            if name not in _ELSEWHERE and not self._goes_along(name, has_dotenv=has_dotenv)
        }

    def has_to_be_told(self, name: str, *, has_dotenv: bool) -> bool:
        """Return whether a setting was given, and no file that goes along says so."""
        return name in self.given and not self._goes_along(name, has_dotenv=has_dotenv)

    def _goes_along(self, name: str, *, has_dotenv: bool) -> bool:
        source = self.given[name][1]
        return "pyproject.toml" in source or (has_dotenv and source.endswith("in .env"))


def find_subject(project: str | None, directory: str | None, data: str | None, **flags: str | None) -> Subject:
    """Return what is to be deployed; raise ``SettingError`` when there is no project or a setting is wrong.

    A host that needs a token is right here: the token is given where the runner runs.
    """
    root = project_root(given=project)
    folder = functions_folder(root, given=directory)
    if not os.path.isdir(folder):
        raise SettingError("there is no folder of functions", where=folder, mend="run `defer init`, or make it")
    sources: dict[str, Any] = {
        "flags": {**flags, "directory": directory, "data": data},
        "environ": os.environ,
        "dotenv": dotenv(root),
        "pyproject": tool_table(root),
    }
    with_token = {**sources, "environ": {**os.environ, "DEFER_TOKEN": "given where it runs"}}
    settings = resolve_settings(**with_token, cores=len(os.sched_getaffinity(0)))
    given = {name: (_text(value), source) for name, (value, source) in given_settings(**sources).items()}
    return Subject(
        project=Path(root).resolve(),
        name=_name_of(Path(root)),
        data=data_folder(root, given=data),
        settings=replace(settings, token=None, token_file=None),
        given=given,
    )


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _name_of(root: Path) -> str:
    table: Any = {}
    with suppress(OSError):  # one that cannot be decoded was refused before
        table = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8")).get("project", {})
    name = table.get("name") if isinstance(table, dict) else None
    return name if isinstance(name, str) and name.isprintable() and name else root.resolve().name or "app"
