"""What a fault test found out, in a form that a person reads and `docs/guarantees.md` is drawn from."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

WHOLE = "FAULTS"
"""Set to ``whole`` by `make faults`: every fault as often as the figures of the guarantees say."""
FIGURES = "FAULTS_FIGURES"
"""A file that gets one line of JSON a figure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """What came of injecting one fault: ``promises`` are the numbers of the promises it is a proof of."""

    promises: tuple[int, ...]
    fault: str
    runs: int
    found: str


def is_whole() -> bool:
    """Return whether the long form was asked for; `make test` runs the fast one."""
    return os.environ.get(WHOLE) == "whole"


def rounds(fast: int, whole: int) -> int:
    """Return how often to inject a fault."""
    return whole if is_whole() else fast


def tell(*promises: int, fault: str, runs: int, found: str) -> None:
    """Print a figure, and keep it where it is asked for."""
    figure = Figure(promises=promises, fault=fault, runs=runs, found=found)
    print(f"{fault}: {runs} runs, {found}")
    path = os.environ.get(FIGURES)
    if path:
        with Path(path).open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(asdict(figure)) + "\n")
