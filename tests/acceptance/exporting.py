"""Reads what `defer export` has written: units, Dockerfiles, YAML."""

from __future__ import annotations

import json
import shlex
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]


def unit_of(path: Path) -> dict[str, list[str]]:
    """Return the values of each setting of a unit, whatever section it is in."""
    found: dict[str, list[str]] = defaultdict(list)
    for line in path.read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found[name].append(value)
    return found


def words_of(line: str) -> list[str]:
    """Return the words of a unit's line, as systemd understands them."""
    return [word.replace("%%", "%").replace("$$", "$") for word in shlex.split(line)]


@dataclass(frozen=True)
class Instruction:
    """A line of a Dockerfile."""

    name: str
    rest: str

    @property
    def words(self) -> list[str]:
        """The words of one in exec form."""
        words: list[str] = json.loads(self.rest[self.rest.index("[") :])
        return words


def dockerfile_of(path: Path) -> Iterator[Instruction]:
    """Give the instructions in order; a line that ends with a backslash goes on."""
    kept = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    for line in "\n".join(kept).replace("\\\n", " ").splitlines():
        name, _, rest = line.partition(" ")
        yield Instruction(name, rest.strip())


def compose_of(path: Path, environ: Mapping[str, str]) -> dict[str, Any]:
    """Return a compose file with the variables put in, as docker compose does it."""
    text = path.read_text().replace("$$", "\0")
    for name, value in environ.items():
        text = text.replace(f"${{{name}:?set it in the shell}}", value)
    assert "$" not in text, text
    found: dict[str, Any] = yaml.safe_load(text.replace("\0", "$"))
    return found


def documents_of(path: Path) -> dict[str, dict[str, Any]]:
    """Return the documents of a file for Kubernetes by their kinds."""
    return {one["kind"]: one for one in yaml.safe_load_all(path.read_text())}
