"""What the parameters of a function are called, read from its file without importing it."""

from __future__ import annotations

import ast
from pathlib import Path


def parameter_names(file: Path, function: str) -> tuple[list[str], str | None]:
    """Return the names of the positional parameters of ``function`` and that of its starred one.

    Nothing is known (no names) when the file cannot be read or does not define it in plain sight.
    """
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, ValueError, SyntaxError, RecursionError, MemoryError):
        return [], None
    for node in tree.body:
        if isinstance(node, ast.AsyncFunctionDef) and node.name == function:
            given = node.args
            names = [parameter.arg for parameter in (*given.posonlyargs, *given.args)]
            return names, given.vararg.arg if given.vararg else None
    return [], None
