"""The unit for systemd: the project where it lies, the Python that runs this command, the folders that are its own."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from pwd import getpwuid

from defer_cli.cli.exports.filling import filled
from defer_cli.cli.exports.subject import Subject
from defer_cli.link.python import SINGLE_FILE, this_command

_HOMES = (Path("/home"), Path("/root"), Path("/run/user"))
_TEMPORARY = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108


def unit_name(subject: Subject) -> str:
    """Return the name of the unit's file."""
    return f"defer-{subject.slug}.service"


def unit(subject: Subject, *, user: str | None, writable: list[str]) -> str:
    """Return the unit; ``writable`` are folders that functions write to, relative to the project."""
    folders = [Path(subject.data.path), *(Path(os.path.abspath(subject.project / one)) for one in writable)]
    pointer = subject.project / ".defer"
    if pointer not in folders:  # where applications look for the data folder
        folders.insert(1, pointer)
    command = [*this_command(), "run", "--grace", subject.grace, *subject.flags(has_dotenv=True)]
    for name in ("directory", "data", "host", "port"):
        if subject.has_to_be_told(name, has_dotenv=True):
            told = str(folders[0]) if name == "data" else subject.given[name][0]
            command += [f"--{name}", told]
    variables = subject.variables(has_dotenv=True)
    if SINGLE_FILE is not None:
        variables["PEX_ROOT"] = f"/var/cache/defer-{subject.slug}"
    environment = [f"Environment={quoted(f'{name}={value}')}" for name, value in variables.items()]
    if SINGLE_FILE is not None:
        environment.append(f"CacheDirectory=defer-{subject.slug}")
    return filled(
        "systemd.service",
        {
            "name": _plain(subject.name),
            "slug": subject.slug,
            "user": user or owner(subject),
            "project": _plain(str(subject.project)),
            "environment": "\n".join(environment),
            "command": " ".join(map(quoted_word, command)),
            "writable": " ".join(quoted(str(folder)) for folder in folders),
            "writable_words": ", ".join(_plain(str(folder)) for folder in folders),
            "stop_seconds": str(subject.stop_seconds),
            "protect_home": "read-only" if _needs(_HOMES, subject, folders) else "yes",
            "private_tmp": "no" if _needs(_TEMPORARY, subject, folders) else "yes",
        },
    )


def owner(subject: Subject) -> str:
    """Return who the runner is: the owner of the project, or a user of its own where that is root."""
    uid = os.stat(subject.project).st_uid
    if uid == 0:
        return f"defer-{subject.slug}"[:31]
    try:
        return getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def quoted(text: str) -> str:
    """Return one word of a unit's line: man 5 systemd.syntax."""
    plain = _plain(text)
    if plain and not any(letter in " \t\"'\\;" for letter in plain):
        return plain
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'


def quoted_word(text: str) -> str:
    """Return one word of a command, in which ``$`` would begin a variable."""
    return quoted(text.replace("$", "$$"))


def _plain(text: str) -> str:
    """Return a text in which nothing begins a specifier (``%h``) or ends the line."""
    return "".join(letter if letter.isprintable() else "?" for letter in text.replace("%", "%%"))


def _needs(places: Sequence[Path], subject: Subject, folders: Sequence[Path]) -> bool:
    """Return whether something that the unit names lies in a place that could be hidden."""
    used = [subject.project, *folders, *(Path(word) for word in this_command() if os.path.isabs(word))]
    real = [Path(os.path.realpath(path)) for path in used]
    return any(path.is_relative_to(place) for path in (*used, *real) for place in places)
