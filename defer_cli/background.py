"""What a background function and a cron are in user code, and the options a call of one may carry."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Generic, NoReturn, ParamSpec, Self, TypeVar, cast, final

from defer_cli.definitions import Definition
from defer_cli.domain.call_options import NO_OPTIONS, CallOptions, checked_metadata, checked_when
from defer_cli.domain.duration import When
from defer_cli.domain.errors import DeferError

if TYPE_CHECKING:
    from inspect import Signature

    from defer_cli.client.calls import Call, ResultCall

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class _LazySignature:
    """The signature of the plain function; frameworks ask for it, calls do not."""

    def __get__(self, wrapper: _Wrapper | None, owner: type) -> Signature | None:
        if wrapper is None:  # `inspect.signature(BackgroundFunction)` takes None for "not set"
            return None
        from inspect import signature

        return signature(wrapper.definition.fn)


class _Wrapper:
    """What looks like its function, but has no ``__wrapped__``: frameworks would unwrap it."""

    __signature__ = _LazySignature()
    __name__: str
    __qualname__: str

    def __init__(self, definition: Definition) -> None:
        fn = definition.fn
        self.definition = definition
        self.name = self.__name__ = definition.name
        self.file = definition.file
        self.line = definition.line
        self.options = definition.options
        self.__qualname__ = getattr(fn, "__qualname__", definition.name)
        self.__module__ = getattr(fn, "__module__", None) or "__main__"
        self.__doc__ = getattr(fn, "__doc__", None)

    @property
    def __globals__(self) -> Mapping[str, Any]:
        """The names its annotations speak of: FastAPI evaluates them when the function is a dependency."""
        from inspect import unwrap

        names: Mapping[str, Any] = getattr(unwrap(self.definition.fn), "__globals__", {})
        return names

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return self

    def __reduce__(self) -> tuple[object, ...]:
        return _find, (self.__module__, self.name, NO_OPTIONS)


@final
class BackgroundFunction(_Wrapper, Generic[P, R_co]):
    """A function that runs in the background: calling it enqueues an execution and returns a handle."""

    fn: Callable[P, Coroutine[Any, Any, R_co]]

    def __init__(self, definition: Definition, call_options: CallOptions = NO_OPTIONS) -> None:
        super().__init__(definition)
        self.fn = definition.fn
        self.call_options = call_options

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Call:
        """Enqueue one execution; raises ``ArgumentError`` here when the arguments do not fit or are not JSON."""
        return _make_call(self, args, kwargs)

    def __repr__(self) -> str:
        options = "" if self.call_options == NO_OPTIONS else f" with {self.call_options}"
        return f"<BackgroundFunction {self.__module__}.{self.name}{options}>"

    def __reduce__(self) -> tuple[object, ...]:
        return _find, (self.__module__, self.name, self.call_options)


@final
class CronFunction(_Wrapper, Generic[R_co]):
    """A function that the runner calls by its schedule; calling it from code is refused."""

    fn: Callable[[], Coroutine[Any, Any, R_co]]

    def __init__(self, definition: Definition) -> None:
        super().__init__(definition)
        self.fn = definition.fn
        self.schedule = definition.schedule or ""

    if not TYPE_CHECKING:  # so that calling it is a type error too

        def __call__(self, *args: object, **kwargs: object) -> NoReturn:
            raise DeferError(
                f"{self.name!r} is a cron: it runs by its schedule, not by a call",
                where=f"{self.file}:{self.line}",
                mend=f"run it once by hand with `defer trigger {self.name}`, or call a background function from both",
            )

    def __repr__(self) -> str:
        return f"<CronFunction {self.__module__}.{self.name} {self.schedule!r}>"


def _find(module: str, name: str, call_options: CallOptions) -> BackgroundFunction[..., Any] | CronFunction[Any]:
    """Return the function that a pickle names, as it is bound in its module."""
    loaded = import_module(module)
    for candidate in (getattr(loaded, name, None), getattr(loaded, "default", None)):
        if isinstance(candidate, CronFunction):
            return candidate
        if isinstance(candidate, BackgroundFunction):
            return BackgroundFunction(candidate.definition, call_options)
    raise DeferError(
        f"{module} has no background function {name!r}",
        mend="bind it to its own name, or to `default`, at the top of the file",
    )


def assign_options(
    fn: BackgroundFunction[P, R],
    /,
    *,
    delay: When | None = None,
    discard_after: When | None = None,
    metadata: Mapping[str, str] | None = None,
    key: str | None = None,
) -> BackgroundFunction[P, R]:
    """Return a copy of ``fn`` whose calls carry these options, laid over those it has.

    ``delay``: start no sooner than this long after the call, or than this moment.
    ``discard_after``: do not start any more after this. ``key``: calls with the same key are one execution.
    ``metadata``: at most 25 pairs of text to search by. Raises ``SettingError``.
    """
    options = _callable_function(fn).call_options
    merged = options.merged(delay=delay, discard_after=discard_after, metadata=metadata, key=key)
    return BackgroundFunction(fn.definition, merged)


def delay(fn: BackgroundFunction[P, R], when: When, /) -> BackgroundFunction[P, R]:
    """Return a copy of ``fn`` whose calls start after ``when``: a span from the call, or an aware datetime."""
    return assign_options(fn, delay=checked_when(when, where="delay"))


def discard_after(fn: BackgroundFunction[P, R], when: When, /) -> BackgroundFunction[P, R]:
    """Return a copy of ``fn`` whose calls are discarded when they have not started by ``when``."""
    return assign_options(fn, discard_after=checked_when(when, where="discard_after"))


def add_metadata(fn: BackgroundFunction[P, R], metadata: Mapping[str, str], /) -> BackgroundFunction[P, R]:
    """Return a copy of ``fn`` whose calls carry ``metadata`` besides what they carry already."""
    return assign_options(fn, metadata=checked_metadata(metadata))


def await_result(fn: BackgroundFunction[P, R], /) -> Callable[P, ResultCall[R]]:
    """Return a callable that enqueues ``fn`` at once; awaiting what it returns gives the function's result."""
    return cast("Callable[P, ResultCall[R]]", partial(_call_for_result, _callable_function(fn)))


def _callable_function(fn: object) -> BackgroundFunction[..., Any]:
    if isinstance(fn, BackgroundFunction):
        return fn
    if isinstance(fn, CronFunction):
        raise DeferError(
            f"{fn.name!r} is a cron and takes no calls", mend="use it with a function wrapped by defer, not defer.cron"
        )
    name = getattr(fn, "__name__", None)
    raise DeferError(
        f"{name or fn!r} is not a background function",
        mend="pass the function itself, without calling it, and declare it with @defer",
    )


def _call_for_result(fn: BackgroundFunction[..., R], /, *args: Any, **kwargs: Any) -> ResultCall[R]:
    from defer_cli.client.calls import make_result_call

    return make_result_call(fn, args, kwargs)


def _first_call(fn: BackgroundFunction[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Call:
    """Load the client when the first call is made: defining functions must stay cheap."""
    global _make_call
    from defer_cli.client.calls import make_call

    _make_call = make_call
    return make_call(fn, args, kwargs)


_make_call: Callable[[BackgroundFunction[..., Any], tuple[Any, ...], Mapping[str, Any]], Call] = _first_call
