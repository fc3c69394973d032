"""From the form of a function to the call it asks for, checked field by field."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from defer_cli.console.forms import Form, moment_in
from defer_cli.domain.call_options import checked_key, checked_metadata
from defer_cli.domain.enqueue import Enqueue
from defer_cli.domain.errors import ArgumentError, SettingError
from defer_cli.domain.execution import to_microseconds
from defer_cli.domain.function import FunctionSpec
from defer_cli.domain.ids import keyed_id, random_id
from defer_cli.intake import fit_arguments

OPTIONS = ("delay", "discard_after", "key", "metadata")
"""The fields beside those of arguments."""
COLLECTING = ("var_positional", "var_keyword")
"""Kinds of parameters that take what is left, also nothing."""


class Faults(Exception):
    """What is wrong with a form, by field; under ``""`` what is wrong with it as a whole."""

    def __init__(self, of_fields: Mapping[str, str]) -> None:
        super().__init__()
        self.of_fields = of_fields


def call_in(spec: FunctionSpec, form: Form, now_us: int) -> Enqueue:
    """Return the call that a form asks for; raise ``Faults``."""
    faults: dict[str, str] = {}
    arguments = b"[]"
    try:
        arguments = _arguments(spec, form)
    except Faults as found:
        faults.update(found.of_fields)
    except ArgumentError as error:
        faults[""] = told(error.problem, error.mend)
    key = form.one("key").strip()
    options: dict[str, Any] = {"delay": None, "discard_after": None, "key": None, "metadata": None}
    for name, read in (
        ("delay", lambda: _microseconds(form, "delay")),
        ("discard_after", lambda: _microseconds(form, "discard_after")),
        ("key", lambda: checked_key(key) if key else None),
        ("metadata", lambda: _metadata(form.one("metadata"))),
    ):
        try:
            options[name] = read()
        except SettingError as error:
            faults[name] = told(error.problem, error.mend)
    if faults:
        raise Faults(faults)
    return Enqueue(
        keyed_id(spec.name, key) if key else random_id(),
        spec.name,
        arguments,
        now_us,
        scheduled_us=options["delay"],
        discard_us=options["discard_after"],
        metadata=options["metadata"],
        key=options["key"],
    )


def _arguments(spec: FunctionSpec, form: Form) -> bytes:
    """Return the arguments as stored; raise ``Faults`` for those that are missing or no JSON, ``ArgumentError``."""
    args: list[object] = []
    kwargs: dict[str, object] = {}
    faults: dict[str, str] = {}
    left_out = ""
    for one in spec.parameters:
        field = f"argument.{one.name}"
        typed = form.one(field).strip()
        if not typed:
            left_out = left_out or field
            if not one.has_default and one.kind not in COLLECTING:
                faults[field] = "It needs a value."
            continue
        try:
            value = _value(typed, one.kind)
        except ValueError as error:
            faults[field] = str(error)
            continue
        if one.kind == "var_keyword":
            doubled = sorted(set(value) & {other.name for other in spec.parameters})
            if doubled:
                faults[field] = f"{', '.join(doubled)} has a field of its own."
            kwargs.update(value)
        elif one.kind == "keyword_only" or (one.kind == "positional_or_keyword" and left_out):
            kwargs[one.name] = value
        elif left_out and (value or one.kind == "positional_only"):
            faults.setdefault(left_out, f"It needs a value, for {one.name} comes after it by position.")
        else:
            args += value if one.kind == "var_positional" else [value]
    if faults:
        raise Faults(faults)
    return fit_arguments(spec, args, kwargs)


def _value(typed: str, kind: str) -> Any:
    """Return JSON data; raise ``ValueError`` with words for whoever has typed it."""
    try:
        value = json.loads(typed, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("It is nested too deeply.") from None
    except json.JSONDecodeError as error:
        if typed[0] not in '{["':
            raise ValueError('It is not JSON. Write text in quotes: "text".') from None
        raise ValueError(f"It is not JSON: {error.msg}, line {error.lineno}, column {error.colno}.") from None
    except ValueError as error:
        raise ValueError("It has more digits than Python reads." if "digits" in str(error) else str(error)) from None
    if kind == "var_positional" and not isinstance(value, list):
        raise ValueError("Write a JSON array: [1, 2].")
    if kind == "var_keyword" and not isinstance(value, dict):
        raise ValueError('Write a JSON object: {"name": 1}.')
    return value


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON.")


def _microseconds(form: Form, field: str) -> int | None:
    when = moment_in(form, field)
    return None if when is None else to_microseconds(when)


def _metadata(text: str) -> dict[str, str] | None:
    pairs: dict[str, str] = {}
    for line in text.splitlines():
        if not line.strip():
            continue
        key, equals, value = line.partition("=")
        if not equals:
            raise SettingError(f"{line.strip()!r} is not key=value", where="metadata", mend="write one pair a line")
        pairs[key.strip()] = value.strip()
    return dict(checked_metadata(pairs)) if pairs else None


def told(problem: str, mend: str | None) -> str:
    """Return what is wrong and how to mend it, in a line."""
    return f"{problem}: {mend}" if mend else problem
