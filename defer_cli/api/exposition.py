"""The text form of metrics with a line or more for each function.

Written by hand: `prometheus_client` takes some 20 µs a line, a second for a thousand functions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate

from prometheus_client.utils import floatToGoString

from defer_cli.engine.measures import BOUNDS_SECONDS, Spans

_FUNCTION = "\0"
"""Stands for the function's name in the lines of one function."""


def table(
    name: str,
    kind: str,
    help: str,
    rows: Iterable[tuple[str, Sequence[int]]],
    *,
    label: str = "",
    values: Sequence[str] = ("",),
) -> str:
    """Return a metric: for each function one number, or one for each of ``values`` of a second ``label``."""
    lines = "".join(
        [f"{name}{{{_labels(label, value)}}} %s\n" if label else f"{name}{{{_labels()}}} %s\n" for value in values]
    )
    return _head(name, kind, help) + "".join(
        [(lines % tuple(numbers)).replace(_FUNCTION, _escaped(function)) for function, numbers in rows]
    )


class Histogram:
    """A metric of spans of time, in seconds; the lines of functions that have not run since are kept."""

    def __init__(self, name: str, help: str) -> None:
        bounds = [*map(floatToGoString, BOUNDS_SECONDS), "+Inf"]
        lines = [f"{name}_bucket{{{_labels('le', bound)}}} %s\n" for bound in bounds]
        lines += [f"{name}_sum{{{_labels()}}} %s\n", f"{name}_count{{{_labels()}}} %s\n"]
        self._head = _head(name, "histogram", help)
        self._lines = "".join(lines)
        self._kept: dict[str, tuple[int, str]] = {}

    def text(self, spans_of: Mapping[str, Spans]) -> str:
        """Return it for these functions."""
        texts = [self._head]
        for function, spans in spans_of.items():
            *_, count = reached = list(accumulate(spans.counts))
            known, text = self._kept.get(function, (-1, ""))
            if known != count:
                text = (self._lines % (*reached, spans.total_us / 1e6, count)).replace(_FUNCTION, _escaped(function))
                self._kept[function] = (count, text)
            texts.append(text)
        return "".join(texts)


def _head(name: str, kind: str, help: str) -> str:
    return f"# HELP {name} {help}\n# TYPE {name} {kind}\n"


def _labels(label: str = "", value: str = "") -> str:
    function = f'function="{_FUNCTION}"'
    return f'{function},{label}="{value}"' if label else function


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
