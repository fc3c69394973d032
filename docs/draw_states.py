"""Draws docs/states.md from the table of moves: ``make states``."""

from __future__ import annotations

import sys

from defer_cli.domain.states import FINAL_STATES, MOVES, State

_HEAD = """\
# States of an execution

Drawn from `defer_cli/domain/states.py` by `make states`; a test holds the two equal. Every move is one statement
guarded by the execution, its attempt and the state it leaves: a late or doubled writer changes nothing.
"""


def draw() -> str:
    """Return the page: a diagram and a table."""
    return "\n".join([_HEAD, *_diagram(), "", *_table(), ""])


def _diagram() -> list[str]:
    edges: dict[tuple[str, str], list[str]] = {}
    for move in MOVES:
        for source in _in_order(move.sources) or ["[*]"]:
            edges.setdefault((source, move.target.value), []).append(move.name)
    arrows = [f"    {source} --> {target}: {', '.join(names)}" for (source, target), names in edges.items()]
    ends = [f"    {state} --> [*]" for state in _in_order(FINAL_STATES)]
    return ["```mermaid", "stateDiagram-v2", *arrows, *ends, "```"]


def _table() -> list[str]:
    rows = [
        f"| {move.name} | {', '.join(_in_order(move.sources)) or '–'} | {move.target.value} | {move.when} |"
        for move in MOVES
    ]
    return ["| move | from | to | when |", "| --- | --- | --- | --- |", *rows]


def _in_order(states: frozenset[State]) -> list[str]:
    return [state.value for state in State if state in states]


if __name__ == "__main__":
    sys.stdout.write(draw())
