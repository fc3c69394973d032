"""Whether the arguments of a call fit its function, and the one form in which equal calls are equal."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from inspect import Parameter, Signature, signature
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

from defer_cli.definitions import WRAPPED_HINT
from defer_cli.domain.errors import ArgumentError

Bound: TypeAlias = tuple[tuple[Any, ...], Mapping[str, Any]]

_NONE: Mapping[str, Any] = {}
_POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
_POSITION = re.compile(r"argument (\d+)\b")
_shapes: WeakKeyDictionary[Callable[..., Any], _Shape] = WeakKeyDictionary()


class _Shape:
    """What a signature takes, so that most calls are checked by two comparisons."""

    __slots__ = ("fewest", "most", "signature")

    def __init__(self, fn: Callable[..., Any]) -> None:
        self.signature = signature(fn)
        parameters = self.signature.parameters.values()
        positional = [p for p in parameters if p.kind in _POSITIONAL]
        is_open = any(p.kind is Parameter.VAR_POSITIONAL for p in parameters)
        needs_keywords = any(p.kind is Parameter.KEYWORD_ONLY and p.default is Parameter.empty for p in parameters)
        self.fewest = sum(p.default is Parameter.empty for p in positional)
        self.most = (1 << 31 if is_open else len(positional)) if not needs_keywords else -1


def bind(fn: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Bound:
    """Return the arguments as bound to the signature of ``fn``, without defaults.

    What is given by keyword and could be positional becomes positional, as far as no argument before it was
    left out. Raises ``ArgumentError``, which is a ``TypeError`` too, when they do not fit.
    """
    try:
        shape = _shapes[fn]
    except KeyError:
        shape = _shapes[fn] = _Shape(fn)
    if not kwargs and shape.fewest <= len(args) <= shape.most:
        return args, _NONE
    try:
        bound = shape.signature.bind(*args, **kwargs)
    except TypeError as error:
        raise _misfit(fn, shape.signature, error) from None
    return bound.args, bound.kwargs


def by_name(fn: Callable[..., Any], error: ArgumentError) -> ArgumentError:
    """Return the error of an argument by the name of its parameter: binding has made a position of it."""
    match = _POSITION.match(error.problem)
    if match is not None:
        named = [p.name for p in signature(fn).parameters.values() if p.kind in _POSITIONAL]
        place = int(match.group(1)) - 1
        if place < len(named):
            return ArgumentError(named[place] + error.problem[match.end() :], mend=error.mend)
    return error


def _misfit(fn: Callable[..., Any], expected: Signature, error: TypeError) -> ArgumentError:
    name = getattr(fn, "__name__", repr(fn))
    mend = f"it takes {name}{expected.replace(return_annotation=Signature.empty)}"
    if hasattr(fn, "__wrapped__"):
        mend = f"{mend}; {WRAPPED_HINT}"
    return ArgumentError(f"{name}: {error}", mend=mend)
