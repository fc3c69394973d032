"""Which files of the defer folder hold functions, judged by their names and places alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fnmatch import fnmatch
from keyword import iskeyword
from pathlib import Path

from msgspec import Struct

from defer_cli.domain.function import Problem

_IGNORED_FILES = ("__init__.py", "conftest.py", "test_*.py", "*_test.py", "*_spec.py", ".*")
_IGNORED_FOLDERS = ("test", "tests", "spec", "specs", "__pycache__", ".*")


class Scan(Struct, frozen=True, kw_only=True):
    """The files to import, sorted, and what is wrong with the others."""

    files: tuple[Path, ...]
    problems: tuple[Problem, ...]


def scan(project: Path, folder: Path) -> Scan:
    """Return the function files under ``folder``, links followed as far as they stay inside ``project``."""
    walk = _Walk(project)
    files = sorted(walk.files_under(folder))
    return Scan(files=tuple(files), problems=tuple(walk.problems))


def relative_to(project: Path, path: str | os.PathLike[str]) -> str:
    """Return ``path`` as it is shown: relative to the project with ``/``, absolute when it is elsewhere."""
    inside = os.path.relpath(path, project)
    return os.fspath(path) if inside.startswith("..") else Path(inside).as_posix()


class _Walk:
    def __init__(self, project: Path) -> None:
        self.problems: list[Problem] = []
        self._project = project
        self._inside = Path(os.path.realpath(project))
        self._visited: set[str] = set()

    def files_under(self, folder: Path) -> Iterator[Path]:
        resolved = os.path.realpath(folder)
        if resolved in self._visited or not folder.is_dir() or self._is_outside(folder):
            return
        self._visited.add(resolved)  # a link to a folder above would never end
        for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
            path = folder / entry.name
            if entry.is_dir():
                if not _is_ignored_folder(entry.name) and self._holds_python(path):
                    yield from self.files_under(path)
            elif entry.name.endswith(".py") and not _matches(entry.name, _IGNORED_FILES):
                yield from self._checked(path, is_file=entry.is_file())

    def _checked(self, path: Path, *, is_file: bool) -> Iterator[Path]:
        if self._is_outside(path):
            return
        if not is_file:
            self._add("DEF008", path, "cannot be read: it is no file, or a link to none", "remove it, or mend the link")
            return
        if is_name(path.stem):
            yield path
            return
        why = "is a keyword" if iskeyword(path.stem) else "is not a Python identifier"
        self._add("DEF011", path, f"the file's name {path.stem!r} {why}", f"rename it to {_as_name(path.stem)}.py")

    def _holds_python(self, folder: Path) -> bool:
        """Return whether a sub-folder can be part of a module's name; say so when it cannot and holds files."""
        if is_name(folder.name):
            return True
        if any(folder.rglob("*.py")):
            self._add(
                "DEF011",
                folder,
                f"the folder's name {folder.name!r} is not a Python identifier",
                f"rename it to {_as_name(folder.name)}",
            )
        return False

    def _is_outside(self, path: Path) -> bool:
        resolved = Path(os.path.realpath(path))
        if resolved.is_relative_to(self._inside):
            return False
        self._add(
            "DEF012",
            path,
            f"it leads outside the project, to {resolved}",
            "copy it into the project, or run defer with the --project that holds both",
        )
        return True

    def _add(self, code: str, path: Path, problem: str, mend: str) -> None:
        self.problems.append(Problem(code=code, problem=problem, file=relative_to(self._project, path), mend=mend))


def is_name(text: str) -> bool:
    """Return whether a module can be called so in an import statement."""
    return text.isidentifier() and not iskeyword(text)


def _as_name(text: str) -> str:
    name = "".join(letter if letter.isalnum() and letter.isascii() else "_" for letter in text).strip("_").lower()
    if not name or name[0].isdigit():
        name = f"job_{name}".rstrip("_")
    return f"{name}_job" if iskeyword(name) else name


def _is_ignored_folder(name: str) -> bool:
    return _matches(name, _IGNORED_FOLDERS)


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)
