"""docs/logs.md has a row for every record that the code can write, with its level and its fields, and no other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.unit.cli.record_events import Seen, tell_everything

ROOT = Path(__file__).parents[3]
ROW = re.compile(r"^\| `([^`]+)` \| ([a-z, ]+) \| ([^|]*) \| ([^|]+) \|$", re.MULTILINE)
WRITERS = {"Note", "write"}
OF_DEV = {"functions reloaded", "the reload failed, save again"}
"""`defer run` does not reload."""
AN_EXAMPLE = "a note"
LEVELS = ("debug", "info", "warning", "error")
Records = dict[str, tuple[set[str], set[str]]]
Told = tuple[str, str, list[str]]


def documented() -> Records:
    rows = ROW.findall((ROOT / "docs" / "logs.md").read_text())
    return {
        message: ({*levels.split(", ")}, set(re.findall(r"`([A-Za-z_]+)`", fields)))
        for message, levels, fields, _ in rows
    }


def in_the_code() -> Records:
    """Return what is written in calls of `Note` and `write`, and what the log itself makes of events."""
    found: Records = {}
    log = Seen()
    tell_everything(log)
    log._dropped(1)
    for level, message, fields in [*log.told, *_written_out()]:
        levels, names = found.setdefault(message, (set(), set()))
        levels.add(level)
        names.update(fields)
    found["runner logged"][0].update(LEVELS)
    return {message: record for message, record in found.items() if message not in OF_DEV | {AN_EXAMPLE}}


def _written_out() -> Iterator[Told]:
    for path in (ROOT / "defer_cli").rglob("*.py"):
        if path.name != "records.py":  # what it writes is told to it above
            for function in ast.walk(ast.parse(path.read_text())):
                if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                    yield from _of_function(function, path)


def _of_function(function: ast.FunctionDef | ast.AsyncFunctionDef, path: Path) -> Iterator[Told]:
    values = {
        target.id: node.value
        for node in ast.walk(function)
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    for call in ast.walk(function):
        if not isinstance(call, ast.Call) or _name(call.func) not in WRITERS or not call.args:
            continue
        level, *rest = call.args
        if isinstance(level, ast.Constant) and level.value in LEVELS:
            place = f"{path}:{call.lineno}"
            table = _meant(rest[1], values) if len(rest) > 1 else ast.Dict(keys=[], values=[])
            assert isinstance(table, ast.Dict), f"{place}: the names of the fields are not fixed"
            for message in _choices(_meant(rest[0], values)):
                yield level.value, _fixed(message, place), [_fixed(key, place) for key in table.keys]


def _meant(written: ast.expr, values: Mapping[str, ast.expr]) -> ast.expr:
    return values.get(written.id, written) if isinstance(written, ast.Name) else written


def _choices(written: ast.expr) -> list[ast.expr]:
    return [written.body, written.orelse] if isinstance(written, ast.IfExp) else [written]


def _name(function: ast.expr) -> str:
    return function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")


def _fixed(written: ast.expr | None, place: str) -> str:
    assert isinstance(written, ast.Constant), f"{place}: a message, or the name of a field, is not fixed"
    return str(written.value)


def test_every_record_is_documented_as_it_is_written() -> None:
    assert documented() == in_the_code()
