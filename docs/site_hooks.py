"""What mkdocs.yml cannot say: every decision is in the navigation, and the diagram of states is a picture."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

_DECISIONS = Path(__file__).parent / "decisions"
_DIAGRAM = re.compile(r"^```mermaid\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ARROW = re.compile(r"^ +(\S+) --> (\w+)(?:: (.+))?$", re.MULTILINE)
_WIDTH, _HEIGHT = 112, 40
_PLACES = {
    "[*]": (0, 130),
    "created": (150, 130),
    "started": (410, 130),
    "succeed": (660, 60),
    "failed": (660, 130),
    "cancelled": (84, 250),
    "discarded": (216, 250),
    "aborting": (410, 250),
    "aborted": (660, 250),
}
"""The middle of each state; one that is new here has to be given a place."""


def on_config(config: dict[str, Any]) -> None:
    """Add the decisions to their section, so that a new one needs no line anywhere else."""
    (section,) = [entry for entry in config["nav"] if "Decisions" in entry]
    section["Decisions"] += [f"decisions/{path.name}" for path in sorted(_DECISIONS.glob("[0-9]*.md"))]


def on_page_markdown(markdown: str, **_: object) -> str:
    """Draw diagrams here: what would draw them in a browser comes from another host."""
    return _DIAGRAM.sub(lambda found: "\n".join(_picture(found[1])), markdown)


def _picture(diagram: str) -> Iterator[str]:
    arrows = _ARROW.findall(diagram)
    pairs = {(source, target) for source, target, _ in arrows}
    yield '<div class="states"><svg viewBox="-6 0 730 285" role="img" aria-label="States and the moves between them">'
    yield '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
    yield '<path class="tip" d="M0 0 8 4 0 8z"/></marker></defs>'
    yield '<circle class="tip" cx="0" cy="130" r="5"/>'
    for source, target, label in arrows:
        is_back = (target, source) in pairs and _PLACES[source] > _PLACES[target]
        path, x, y = _path(source, target, beside=4 + 3.3 * len(label), is_back=is_back)
        yield f'<path class="arrow" marker-end="url(#tip)" d="{path}"/>'
        yield f'<text x="{x:g}" y="{y:g}">{escape(label)}</text>'
    finals = {source for source, target in re.findall(r"(\w+) --> (\[\*\])", diagram)}
    for state, (x, y) in _PLACES.items():
        if state != "[*]":
            kind = "state final" if state in finals else "state"
            left, top = x - _WIDTH / 2, y - _HEIGHT / 2
            yield f'<rect class="{kind}" x="{left:g}" y="{top:g}" width="{_WIDTH}" height="{_HEIGHT}" rx="8"/>'
            yield f'<text class="name" x="{x}" y="{y + 5}">{state}</text>'
    yield "</svg></div>"


def _path(source: str, target: str, *, beside: float, is_back: bool) -> tuple[str, float, float]:
    """Return the line of an arrow, and where its label stands."""
    (x, y), (to_x, to_y) = _PLACES[source], _PLACES[target]
    if source == target:
        top = y - _HEIGHT / 2
        return f"M{x - 40} {top} C{x - 40} {top - 50} {x} {top - 50} {x} {top}", x - 20, top - 46
    if is_back:
        top = y - _HEIGHT / 2
        middle = (x + to_x) / 2
        return f"M{x - 20} {top} C{x - 20} {top - 50} {to_x + 30} {top - 50} {to_x + 30} {top}", middle, top - 44
    if x == to_x or abs(to_y - y) > abs(to_x - x):
        start, end = y + _HEIGHT / 2, to_y - _HEIGHT / 2
        return f"M{x} {start} L{to_x} {end}", (x + to_x) / 2 + (beside if to_x >= x else -beside), (start + end) / 2
    start, end = x + (5 if source == "[*]" else _WIDTH / 2), to_x - _WIDTH / 2
    above = 8 if y == to_y else beside
    return f"M{start:g} {y} L{end:g} {to_y}", (start + end) / 2, (y + to_y) / 2 - above
