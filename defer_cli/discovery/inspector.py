"""The child process that imports the user's files and answers with what they define, as data."""

from __future__ import annotations

import os
import signal
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from importlib.machinery import PathFinder
from pathlib import Path

import msgspec

from defer_cli.client.marking import mark_records
from defer_cli.definitions import Definition, definitions
from defer_cli.definitions import problems as kept_problems
from defer_cli.discovery.exchange import Message, Report, Request
from defer_cli.discovery.failures import explain_failure
from defer_cli.discovery.importing import module_name, package_of, prepare
from defer_cli.discovery.judging import ImportedFile, describe_function, judge, same_names
from defer_cli.discovery.scan import relative_to
from defer_cli.domain.function import Problem


def main() -> None:
    """Answer the request on stdin on the descriptor given as the first argument, then end at once."""
    answers, deadline_seconds = int(sys.argv[1]), int(sys.argv[2])
    os.set_inheritable(answers, False)
    signal.alarm(deadline_seconds)  # should the asking process be killed, nobody else ends a file that hangs
    request = msgspec.json.decode(sys.stdin.buffer.read(), type=Request)
    with open(os.devnull) as nothing:  # user code must not find our request on its stdin
        os.dup2(nothing.fileno(), 0)
    mark_records(lambda: None)  # formats that name the execution must hold here too
    _send(answers, Message(report=Inspection(request, answers).report()))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # threads and exit handlers of user code have no say


def _send(descriptor: int, message: Message) -> None:
    data = memoryview(msgspec.json.encode(message) + b"\n")
    while data:
        data = data[os.write(descriptor, data) :]


class Inspection:
    """Imports the files one by one and judges them when all are in."""

    def __init__(self, request: Request, answers: int) -> None:
        self._project = Path(request.project)
        self._folder = Path(request.folder)
        self._files = [Path(file) for file in request.files]
        self._answers = answers
        self._problems: list[Problem] = []

    def report(self) -> Report:
        """Import everything and return what was found."""
        self._problems += _other_package(self._project, self._folder)
        self._prepare()
        modules = {file: name for file in self._files if self._imports(file, name := module_name(self._folder, file))}
        self._problems += self._of_definitions()
        own = self._definitions_by_file()
        imported = [
            ImportedFile(file, sys.modules[name], own.get(str(file), ()), self._project)
            for file, name in modules.items()
        ]
        for file in imported:
            self._problems += judge(file)
        self._problems += same_names(imported)
        self._problems += self._imported_twice(modules)
        broken = {problem.file for problem in self._problems if not problem.is_warning}
        right = [file for file in imported if relative_to(self._project, file.path) not in broken]
        functions = sorted(map(describe_function, right), key=lambda spec: spec.name)
        return Report(functions=tuple(functions), problems=tuple(self._problems))

    def _prepare(self) -> None:
        _send(self._answers, Message(importing=str(self._folder / "__init__.py")))
        failure = prepare(self._project, self._folder)
        if failure is not None:
            file, error = failure
            package, _ = package_of(self._folder)
            self._problems.append(explain_failure(error, file=file, module=package, project=self._project))

    def _imports(self, file: Path, name: str) -> bool:
        _send(self._answers, Message(importing=str(file)))
        try:
            import_module(name)
        except BaseException as error:  # sys.exit() at the top of a file too
            self._problems.append(explain_failure(error, file=file, module=name, project=self._project))
            return False
        return name in sys.modules

    def _of_definitions(self) -> Iterator[Problem]:
        """Yield the problems that were kept while importing, once each: a file that failed is run again."""
        for problem in dict.fromkeys(kept_problems()):
            if Path(problem.file).is_relative_to(self._project):
                yield replace(problem, file=relative_to(self._project, problem.file))

    def _definitions_by_file(self) -> dict[str, list[Definition]]:
        """Return each file's own definitions; one that was imported under two names made each of them twice."""
        found: dict[str, dict[tuple[str, int], Definition]] = defaultdict(dict)
        for definition in definitions():
            found[definition.file].setdefault((definition.name, definition.line), definition)
        return {file: list(own.values()) for file, own in found.items()}

    def _imported_twice(self, modules: dict[Path, str]) -> Iterator[Problem]:
        names: dict[str, set[str]] = defaultdict(set)
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None)
            if isinstance(file, str):
                names[file].add(name)
        for file, name in modules.items():
            for other in sorted(names[str(file)] - {name}):
                yield Problem(
                    code="DEF103",
                    problem=f"it is imported under two names, {name!r} and {other!r}: what it keeps exists twice",
                    file=relative_to(self._project, file),
                    mend=f"import it as {name!r} everywhere",
                    is_warning=True,
                )


def _other_package(project: Path, folder: Path) -> Iterator[Problem]:
    """Yield a warning when another package would be imported by the name of a folder without ``__init__.py``."""
    if (folder / "__init__.py").exists():
        return
    other = PathFinder.find_spec(folder.name)
    if other is None or other.origin is None or Path(other.origin).parent == folder:
        return
    yield Problem(
        code="DEF102",
        problem=f"it has no __init__.py, and another package is called {folder.name!r}: {other.origin}",
        file=relative_to(project, folder),
        mend=f"add an empty {relative_to(project, folder)}/__init__.py, or your application imports the other one",
        is_warning=True,
    )
