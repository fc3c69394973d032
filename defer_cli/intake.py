"""What callers may change: CLI, sockets, workers and crons all come in here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache

from defer_cli.domain.arguments import encode_arguments
from defer_cli.domain.enqueue import Enqueue, Refused, Stored
from defer_cli.domain.errors import ArgumentError, CallRefused
from defer_cli.domain.function import FunctionSpec, Parameter
from defer_cli.store.contract import Store
from defer_cli.store.writer import Writer

LONGEST_NAME = 256
Results = list[Stored | Refused]
OnResults = Callable[[Results | None, BaseException | None], None]


class Intake:
    """One way in to the store: checks what came, then hands it to the writer."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def enqueue(self, calls: Sequence[Enqueue], on_done: OnResults) -> None:
        """Store calls; ``on_done`` gets one result each once they are on disk. Unknown functions are queued."""
        for call in calls:
            if not call.function or len(call.function) > LONGEST_NAME or not call.id:
                on_done(
                    None, CallRefused(f"a call of {call.function[:40]!r} has no usable name or id; nothing was stored")
                )
                return
        if len(calls) > 0:
            self._writer.enqueue(calls, on_done)
        else:
            on_done([], None)

    async def insert(self, calls: Sequence[Enqueue]) -> Results:
        """Store calls and return one result each."""
        return await self._writer.insert(calls)

    async def enqueue_one(self, call: Enqueue) -> Stored:
        """Store one call; raise ``CallRefused`` when it is not accepted."""
        (result,) = await self.insert([call])
        return accepted(result)


def insert_one(store: Store, call: Enqueue) -> Stored:
    """Store one call through a store that this process owns; raise ``CallRefused`` when it is not accepted."""
    with store.transaction():
        (result,) = store.insert([call])
    return accepted(result)


def accepted(result: Stored | Refused) -> Stored:
    """Return ``result`` when the call was stored; raise ``CallRefused`` when it was not."""
    if isinstance(result, Refused):
        raise CallRefused(result.problem, mend=result.mend)
    return result


def known_function(name: str, functions: Mapping[str, FunctionSpec]) -> FunctionSpec:
    """Return the function called ``name``; raise ``CallRefused`` with the nearest known name."""
    spec = functions.get(name)
    if spec is not None:
        return spec
    near = get_close_matches(name, functions, n=1)
    known = ", ".join(sorted(functions)) or "none: the project defines no function yet"
    raise CallRefused(
        f"there is no function {name!r}", mend=f"did you mean {near[0]!r}?" if near else f"known functions: {known}"
    )


def fit_arguments(spec: FunctionSpec, args: Sequence[object], kwargs: Mapping[str, object] = {}) -> bytes:
    """Return arguments as stored, checked against the parameters of ``spec``.

    Raises ``ArgumentError`` when they are too few or too many, or not JSON.
    """
    if kwargs:
        return encode_arguments(*_bound(spec, args, kwargs))[0]
    least, most, keywords = _shape_of(spec.parameters)
    if len(args) < least or (most is not None and len(args) > most):
        given = "1 argument" if len(args) == 1 else f"{len(args)} arguments"
        raise ArgumentError(
            f"{spec.name}() got {given} and takes {_names_of(spec)}", mend=f"give {_amount(least, most)}"
        )
    if keywords:
        raise ArgumentError(f"{spec.name}() needs keyword arguments ({keywords})", mend="call it from Python")
    return encode_arguments(args, {})[0] if args else b"[]"


@lru_cache(maxsize=1024)
def _shape_of(parameters: tuple[Parameter, ...]) -> tuple[int, int | None, str]:
    """Return how many positional arguments are taken, None for any number, and which keywords must be given."""
    positional = [p for p in parameters if p.kind in ("positional_only", "positional_or_keyword")]
    takes_more = any(p.kind == "var_positional" for p in parameters)
    keywords = ", ".join(p.name for p in parameters if p.kind == "keyword_only" and not p.has_default)
    return sum(not p.has_default for p in positional), None if takes_more else len(positional), keywords


def _names_of(spec: FunctionSpec) -> str:
    return ", ".join(p.name for p in spec.parameters) or "none"


def _bound(
    spec: FunctionSpec, args: Sequence[object], kwargs: Mapping[str, object]
) -> tuple[Sequence[object], Mapping[str, object]]:
    """Return arguments as a caller in Python binds them: by position as far as none before was left out."""
    import inspect

    parameters = [
        inspect.Parameter(
            p.name,
            getattr(inspect.Parameter, p.kind.upper()),
            default=None if p.has_default else inspect.Parameter.empty,
        )
        for p in spec.parameters
    ]
    try:
        bound = inspect.Signature(parameters).bind(*args, **kwargs)
    except TypeError as error:
        raise ArgumentError(f"{spec.name}: {error}", mend=f"it takes {_names_of(spec)}") from None
    return bound.args, bound.kwargs


def _amount(least: int, most: int | None) -> str:
    if most is None:
        return f"at least {least}"
    return str(least or "none") if least == most else f"{least} to {most}"
