"""Arguments, results and errors as pages show them: secrets masked, integers to the last digit, cut where too long."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from defer_cli.console.words import size
from defer_cli.domain.function import FunctionSpec
from defer_cli.domain.secrets import MASK, masked, masked_under

MOST_SHOWN = 64 * 1024
MOST_PREVIEWED = 4 * 1024
"""Arguments of more bytes are not read for one line of them."""


class Shown(NamedTuple):
    """A value as a text; ``size`` is its length when it is whole, in characters."""

    name: str
    text: str
    size: int

    @property
    def is_cut(self) -> bool:
        """Whether there is more of it."""
        return self.size > len(self.text)


def shown(name: str, value: Any) -> Shown:
    """Return JSON data as a page shows it."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    return Shown(name, text[:MOST_SHOWN], len(text))


def arguments(stored: str, spec: FunctionSpec | None, mask: Sequence[str]) -> list[Shown]:
    """Return stored arguments by name, those by position under the names that the function gives them now."""
    args, kwargs = _split(json.loads(stored))
    names = _names(spec, len(args))
    values = [shown(name, masked_under(name, value, also=mask)) for name, value in zip(names, args, strict=True)]
    return values + [shown(name, value) for name, value in masked(kwargs, also=mask).items()]


def preview(stored: str, spec: FunctionSpec | None, mask: Sequence[str], most: int = 120) -> str:
    """Return arguments on one line, cut."""
    args, kwargs = _split(json.loads(stored))
    names = _names(spec, len(args))
    values = [masked_under(name, value, also=mask) for name, value in zip(names, args, strict=True)]
    texts = [json.dumps(value, ensure_ascii=False) for value in values]
    texts += [f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in masked(kwargs, also=mask).items()]
    line = ", ".join(texts)
    return line if len(line) <= most else line[: most - 1] + "…"


def previews(
    items: Sequence[Mapping[str, Any]],
    stored: Mapping[str, Mapping[str, Any]],
    functions: Mapping[str, FunctionSpec],
    mask: Sequence[str],
) -> list[str]:
    """Return the arguments of each execution on one line; ``stored`` are the answers of ``previews``, by id."""

    def one(item: Mapping[str, Any]) -> str:
        told = stored.get(item["id"])
        if told is None:  # pruned in between
            return ""
        if told["arguments"] is None:
            return f"… {size(told['bytes'])}"
        return preview(told["arguments"], functions.get(item["function"]), mask)

    return [one(item) for item in items]


def trigger_line(function: str, stored: str, spec: FunctionSpec | None, mask: Sequence[str]) -> str | None:
    """Return the command that calls a function with these arguments; None where no command can.

    Secrets are not in it, and neither are arguments that go by name.
    """
    args, kwargs = _split(json.loads(stored))
    if kwargs or len(stored) > MOST_SHOWN:
        return None
    words = []
    for name, value in zip(_names(spec, len(args)), args, strict=True):
        hidden = masked_under(name, value, also=mask)
        words.append(shlex.quote(MASK if hidden == MASK else json.dumps(hidden, ensure_ascii=False)))
    dashes = ["--"] if any(word.startswith("-") for word in words) else []
    return " ".join(["defer", "trigger", function, *dashes, *words])


def result(stored: str, mask: Sequence[str]) -> Shown:
    """Return a stored result."""
    return shown("", masked(json.loads(stored), also=mask))


def whole_arguments(stored: str, spec: FunctionSpec | None, mask: Sequence[str]) -> str:
    """Return stored arguments with their names, all of them; those that have none are called by their number."""
    args, kwargs = _split(json.loads(stored))
    names = _names(spec, len(args))
    given = [(name, masked_under(name, value, also=mask)) for name, value in zip(names, args, strict=True)]
    counts = Counter(names)
    named = {name if name and counts[name] == 1 else f"{name}[{place}]": one for place, (name, one) in enumerate(given)}
    return _file({**named, **masked(kwargs, also=mask)})


def whole_result(stored: str, mask: Sequence[str]) -> str:
    """Return a stored result, all of it."""
    return _file(masked(json.loads(stored), also=mask))


def _file(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def _split(stored: Any) -> tuple[list[Any], Mapping[str, Any]]:
    return (stored["args"], stored["kwargs"]) if isinstance(stored, dict) else (stored, {})


def _names(spec: FunctionSpec | None, count: int) -> list[str]:
    """Return a name for each of ``count`` arguments by position; the starred parameter takes all it is left."""
    parameters = () if spec is None else spec.parameters
    names = [one.name for one in parameters if one.kind in ("positional_only", "positional_or_keyword")]
    starred = next((one.name for one in parameters if one.kind == "var_positional"), "")
    return [*names[:count], *([starred] * (count - len(names)))]
