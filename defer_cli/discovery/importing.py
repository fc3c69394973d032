"""How function files become modules: the same way in the inspector and in every worker."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from importlib import import_module
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import module_from_spec, source_from_cache, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from defer_cli.background import BackgroundFunction, CronFunction
from defer_cli.definitions import keep_problems
from defer_cli.domain.errors import DefinitionError

_CLOCK_OF_FILES_SECONDS = 2.0
_INSTALLED = f"{os.sep}site-packages{os.sep}"


def prepare(project: Path, folder: Path) -> tuple[Path, BaseException] | None:
    """Make the package of the functions importable; return its ``__init__.py`` and error when that one fails.

    The package is put into ``sys.modules`` by hand: an installed package called ``defer`` would win otherwise.
    Problems of definitions are kept from now on, so that a file that is right can import one that is not.
    """
    project, folder = absolute(project), absolute(folder)
    package, base = package_of(folder)
    for entry in (project, folder.parent, base):
        if str(entry) in sys.path:
            sys.path.remove(str(entry))
        sys.path.insert(0, str(entry))
    _trust_no_fresh_bytecode(f"{project}{os.sep}")
    keep_problems()
    failure: tuple[Path, BaseException] | None = None
    place = base
    for depth, part in enumerate(names := package.split("."), start=1):
        place /= part
        error = _make_package(".".join(names[:depth]), place)
        if error is not None and failure is None:
            failure = place / "__init__.py", error
    return failure


def package_of(folder: Path) -> tuple[str, Path]:
    """Return the folder's package and the folder that must be on ``sys.path``: go up while ``__init__.py`` exists."""
    names, base = [folder.name], folder.parent
    while base.name and (base / "__init__.py").is_file():
        names.insert(0, base.name)
        base = base.parent
    return ".".join(names), base


def module_name(folder: Path, file: Path) -> str:
    """Return the name that ``file`` is imported by."""
    package, _ = package_of(folder)
    return ".".join((package, *file.relative_to(folder).with_suffix("").parts))


def import_function(module: str, file: str, name: str) -> Callable[..., Any]:
    """Return the plain function ``name`` of ``module``, importing it when needed."""
    loaded = import_module(module)
    found = bound_function(loaded, name)
    if found is None:
        raise DefinitionError(
            "DEF013",
            f"{name!r} is no longer a background function",
            where=file,
            mend=f"bind it to {name!r} or to `default` at the top of the file",
        )
    return found.fn


def bound_function(module: ModuleType, name: str) -> BackgroundFunction[..., Any] | CronFunction[Any] | None:
    """Return the wrapper that ``module`` binds to ``name`` or to ``default``."""
    for candidate in (vars(module).get(name), vars(module).get("default")):
        if isinstance(candidate, BackgroundFunction | CronFunction) and candidate.name == name:
            return candidate
    return None


def absolute(path: Path) -> Path:
    """Return ``path`` absolute and normal, with its links as they are: a link's name is the function's name."""
    return Path(os.path.abspath(path))  # Path.resolve would follow links


def _make_package(name: str, folder: Path) -> BaseException | None:
    initializer = folder / "__init__.py"
    if initializer.is_file():
        spec = spec_from_file_location(name, initializer, submodule_search_locations=[str(folder)])
    else:
        spec = ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = [str(folder)]
    if spec is None:
        return None
    module = module_from_spec(spec)
    sys.modules[name] = module
    parent, _, child = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], child, module)
    if initializer.is_file() and spec.loader is not None:
        try:
            spec.loader.exec_module(module)
        except BaseException as error:  # sys.exit() too: the functions can still be looked at
            return error
    return None


def _trust_no_fresh_bytecode(project: str) -> None:
    """Have Python write no bytecode of a file, wherever it is, that was saved a moment ago; nor trust, in the project,
    what somebody else has written so soon, as an application that imports a function does.

    It takes cached bytecode for fresh when time (in seconds) and size agree: two quick saves would show the first.
    """
    write, read = SourceFileLoader.set_data, SourceFileLoader.get_data

    def set_data(loader: SourceFileLoader, path: str, data: bytes, *, _mode: int = 0o666) -> None:
        if time.time() - os.stat(source_from_cache(path)).st_mtime >= _CLOCK_OF_FILES_SECONDS:
            write(loader, path, data, _mode=_mode)

    def get_data(loader: SourceFileLoader, path: str) -> bytes:
        is_ours = path.startswith(project) and _INSTALLED not in path  # an installer writes both at once, and once
        if is_ours and path.endswith(".pyc"):
            age_seconds = os.stat(path).st_mtime - os.stat(source_from_cache(path)).st_mtime
            if age_seconds < _CLOCK_OF_FILES_SECONDS:
                raise OSError(f"{path} may be that of an earlier save")  # as if there were none: compiled anew
        return read(loader, path)

    SourceFileLoader.set_data = set_data  # type: ignore[method-assign, assignment]
    SourceFileLoader.get_data = get_data  # type: ignore[method-assign, assignment]
