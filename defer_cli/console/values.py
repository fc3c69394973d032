"""Arguments, results and errors as pages show them: secrets masked, integers to the last digit, cut where too long."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from defer_cli.domain.arguments import decode_arguments
from defer_cli.domain.function import FunctionSpec
from defer_cli.domain.secrets import MASK, masked, masked_under
from defer_cli.domain.size import size_in_words

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
    given, kwargs = _named(stored, spec, mask)
    return [shown(name, value) for name, value in (*given, *kwargs.items())]


def preview(stored: str, spec: FunctionSpec | None, mask: Sequence[str], most: int = 120) -> str:
    """Return arguments on one line, cut."""
    given, kwargs = _named(stored, spec, mask)
    texts = [json.dumps(value, ensure_ascii=False) for _, value in given]
    texts += [f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in kwargs.items()]
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
            return f"… {size_in_words(told['bytes'])}"
        return preview(told["arguments"], functions.get(item["function"]), mask)

    return [one(item) for item in items]


def trigger_line(function: str, stored: str, spec: FunctionSpec | None, mask: Sequence[str]) -> str | None:
    """Return the command that calls a function with these arguments; None where no command can.

    Secrets are not in it, and neither are arguments that go by name.
    """
    if len(stored) > MOST_SHOWN:
        return None
    given, kwargs = _named(stored, spec, mask)
    if kwargs:
        return None
    words = [shlex.quote(MASK if value == MASK else json.dumps(value, ensure_ascii=False)) for _, value in given]
    dashes = ["--"] if any(word.startswith("-") for word in words) else []
    return " ".join(["defer", "trigger", function, *dashes, *words])


def result(stored: str, mask: Sequence[str]) -> Shown:
    """Return a stored result."""
    return shown("", masked(json.loads(stored), also=mask))


def whole_arguments(stored: str, spec: FunctionSpec | None, mask: Sequence[str]) -> str:
    """Return stored arguments with their names, all of them; those that have none are called by their number."""
    given, kwargs = _named(stored, spec, mask)
    counts = Counter(name for name, _ in given)
    named = {name if name and counts[name] == 1 else f"{name}[{place}]": one for place, (name, one) in enumerate(given)}
    return _file({**named, **kwargs})


def whole_result(stored: str, mask: Sequence[str]) -> str:
    """Return a stored result, all of it."""
    return _file(masked(json.loads(stored), also=mask))


def _file(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def _named(
    stored: str, spec: FunctionSpec | None, mask: Sequence[str]
) -> tuple[list[tuple[str, Any]], Mapping[str, Any]]:
    """Return arguments by position, each with its name, and those by keyword; secrets masked."""
    args, kwargs = decode_arguments(stored.encode())
    names = [""] * len(args) if spec is None else spec.names_of(len(args))
    given = [(name, masked_under(name, value, also=mask)) for name, value in zip(names, args, strict=True)]
    return given, masked(kwargs, also=mask)
