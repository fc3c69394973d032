"""What was measured as a page of Markdown: pure, so that a half-failed run is shown as well as a whole one."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Figures = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Figure:
    """One column; ``more_is_better`` is None for what is shown and not compared."""

    key: str
    title: str
    digits: int
    more_is_better: bool | None


@dataclass(frozen=True, slots=True)
class Sheet:
    """One workload: what it is, how it is measured, and its columns."""

    title: str
    how: str
    figures: tuple[Figure, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """What one of the compared did in one workload: its runs, or why there is none."""

    contestant: str
    runs: tuple[Figures, ...]
    reason: str = ""


def ratio(figure: Figure, ours: Sequence[Figures], theirs: Sequence[Figures]) -> float | None:
    """Return how far we are ahead: above 1 we are better, below 1 they are."""
    our, their = _values(figure, ours), _values(figure, theirs)
    if figure.more_is_better is None or not our or not their:
        return None
    above, below = statistics.median(our), statistics.median(their)
    if not figure.more_is_better:
        above, below = below, above
    return above / below if below else None


def section(sheet: Sheet, ours: Result, peers: Sequence[Result]) -> str:
    """Return the heading, the paragraph and the table of one workload."""
    compared = [figure for figure in sheet.figures if figure.more_is_better is not None]
    titles = ["", *(figure.title for figure in sheet.figures), *(f"defer is, by {figure.title}" for figure in compared)]
    rows = [_row(sheet, ours, ["" for _ in compared])]
    rows += [_row(sheet, peer, [_ahead(ratio(figure, ours.runs, peer.runs)) for figure in compared]) for peer in peers]
    lines = [titles, ["---"] * len(titles), *rows]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    reasons = "".join(f"- {each.contestant}: {each.reason}\n" for each in [ours, *peers] if each.reason)
    return f"## {sheet.title}\n\n{sheet.how}\n\n{table}\n" + (f"\n{reasons}" if reasons else "")


def losses(sheets: Mapping[str, Sheet], results: Mapping[str, tuple[Result, Sequence[Result]]]) -> list[str]:
    """Return a line for each figure in which a peer is better."""
    found = []
    for name, (ours, peers) in results.items():
        for figure in sheets[name].figures:
            behind = [(peer, ratio(figure, ours.runs, peer.runs)) for peer in peers]
            found += [
                f"{name}, {figure.title}: {peer.contestant} {_cell(figure, peer.runs)},"
                f" defer {_cell(figure, ours.runs)}"
                for peer, ahead in behind
                if ahead is not None and ahead < 1
            ]
    return found


def _values(figure: Figure, runs: Sequence[Figures]) -> list[float]:
    return [run[figure.key] for run in runs if figure.key in run]


def _cell(figure: Figure, runs: Sequence[Figures]) -> str:
    values = _values(figure, runs)
    if not values:
        return "—"
    middle = f"{statistics.median(values):,.{figure.digits}f}"
    if len(values) == 1:
        return middle
    return f"{middle} ({min(values):,.{figure.digits}f}-{max(values):,.{figure.digits}f})"


def _ahead(value: float | None) -> str:
    if value is None:
        return "—"
    text = f"{value:.1f} ×" if value >= 10 else f"{value:.2f} ×"
    return f"**{text}**" if value < 1 else text


def _row(sheet: Sheet, result: Result, ratios: list[str]) -> list[str]:
    return [result.contestant, *(_cell(figure, result.runs) for figure in sheet.figures), *ratios]
