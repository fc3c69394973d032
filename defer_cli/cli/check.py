"""`defer check`: the folder's rule applied to every file; starts nothing."""

from __future__ import annotations

from defer_cli.cli.failures import INVALID, OK, show_problems
from defer_cli.cli.options import Data, Directory, Json, Project
from defer_cli.cli.output import say, show_json
from defer_cli.cli.tables import show_rows
from defer_cli.domain.function import FunctionSpec, Problem


def check(*, project: Project = None, directory: Directory = None, data: Data = None, as_json: Json = False) -> int:
    """Apply the rule to every file of the folder; exit 3 on any problem."""
    from defer_cli.cli.place import find_place
    from defer_cli.discovery.discover import discover

    place = find_place(project, directory, data)
    found = discover(place.project, place.folder)
    functions = sorted(found.functions, key=lambda spec: spec.name)
    if as_json:
        show_json(
            {
                "functions": [_function_data(spec) for spec in functions],
                "problems": [_problem_data(problem) for problem in found.problems],
            }
        )
    else:
        if functions:
            show_rows(
                ("name", "kind", "schedule", "where"),
                [(spec.name, spec.kind, spec.schedule or "", f"{spec.file}:{spec.line}") for spec in functions],
            )
        show_problems(found.problems)
        say(f"{counted(len(functions), 'function')}, {count_problems(found.problems)}")
    return INVALID if found.has_breach else OK


def count_problems(problems: tuple[Problem, ...]) -> str:
    """Return how many problems and warnings there are, in words."""
    breaches = sum(not problem.is_warning for problem in problems)
    words = counted(breaches, "problem") if breaches else "no problems"
    warnings = len(problems) - breaches
    return f"{words}, {counted(warnings, 'warning')}" if warnings else words


def counted(number: int, noun: str) -> str:
    """Return ``1 function``, ``2 functions``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _function_data(spec: FunctionSpec) -> dict[str, object]:
    return {
        "name": spec.name,
        "kind": spec.kind,
        "schedule": spec.schedule,
        "file": spec.file,
        "line": spec.line,
    }


def _problem_data(problem: Problem) -> dict[str, object]:
    return {
        "code": problem.code,
        "problem": problem.problem,
        "where": problem.where,
        "file": problem.file,
        "line": problem.line,
        "mend": problem.mend,
        "function": problem.function,
        "is_warning": problem.is_warning,
    }
