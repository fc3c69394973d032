"""Which Python files beside and below the defer folder were saved: as they are, and before anybody listened."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

from defer_cli.discovery.discover import Discovery

_STEP_MILLISECONDS = 20
_DEBOUNCE_MILLISECONDS = 60
"""An editor writes a file in several steps; a save is over when none came for this long."""
_CLOCK_OF_FILES_NS = 10_000_000
"""The times of files come from a clock that moves in steps."""


async def saves(project: Path, folder: Path, since: Discovery) -> AsyncIterator[list[str]]:
    """Yield the files of each save, first those that were saved after ``since`` was looked at; never ends."""
    from watchfiles import PythonFilter, awatch

    only_python = PythonFilter()
    changes = awatch(folder.parent, watch_filter=only_python, step=_STEP_MILLISECONDS, debounce=_DEBOUNCE_MILLISECONDS)
    listening = asyncio.ensure_future(anext(changes))
    await asyncio.sleep(0)  # from here on it listens, and what it missed can be looked up
    ignored = frozenset(only_python.ignore_dirs)
    missed = await asyncio.to_thread(lambda: list(_saved_since(since, project, folder.parent, ignored)))
    if missed:
        yield _sorted(missed)
    yield _sorted(path for _, path in await listening)
    async for change in changes:
        yield _sorted(path for _, path in change)


def _saved_since(since: Discovery, project: Path, folder: Path, ignored: frozenset[str]) -> Iterable[str]:
    yield from (file for file in since.files if not (project / file).exists())
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in ignored and not name.startswith(".")]
        for name in files:
            path = os.path.join(place, name)
            if name.endswith(".py") and _changed_ns(path) > since.began_ns - _CLOCK_OF_FILES_NS:
                yield path


def _changed_ns(path: str) -> int:
    try:
        return os.stat(path).st_ctime_ns
    except OSError:  # gone meanwhile, or a link to nothing
        return 0


def _sorted(paths: Iterable[str]) -> list[str]:
    return sorted(set(paths))
