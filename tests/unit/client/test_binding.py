"""Whether arguments fit, and the one form of equal calls."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest

from defer_cli.client.binding import bind, by_name
from defer_cli.domain.errors import ArgumentError


async def two(a: int, b: int = 2) -> None: ...


async def keyword_only(a: int, *, b: int) -> None: ...


async def stars(a: int, *rest: int, **more: int) -> None: ...


async def positional(a: int, b: int = 2, /, c: int = 3) -> None: ...


@pytest.mark.parametrize(
    ("fn", "args", "kwargs", "bound"),
    [
        (two, (1,), {}, ((1,), {})),
        (two, (), {"a": 1}, ((1,), {})),
        (two, (1,), {"b": 3}, ((1, 3), {})),
        (two, (), {"b": 3, "a": 1}, ((1, 3), {})),
        (keyword_only, (1,), {"b": 3}, ((1,), {"b": 3})),
        (stars, (1, 2, 3), {}, ((1, 2, 3), {})),
        (stars, (1,), {"z": 2}, ((1,), {"z": 2})),
        (positional, (1,), {"c": 5}, ((1,), {"c": 5})),
        (positional, (1, 2), {"c": 5}, ((1, 2, 5), {})),
    ],
)
def test_arguments_are_normalised_without_defaults(
    fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], bound: object
) -> None:
    assert bind(fn, args, kwargs) == bound


@pytest.mark.parametrize(
    ("fn", "args", "kwargs", "words"),
    [
        (two, (), {}, "two: missing a required argument: 'a'"),
        (two, (1, 2, 3), {}, "two: too many positional arguments"),
        (two, (1,), {"c": 3}, "two: got an unexpected keyword argument 'c'"),
        (two, (1,), {"a": 3}, "two: multiple values for argument 'a'"),
        (keyword_only, (1,), {}, "keyword_only: missing a required"),
    ],
)
def test_arguments_that_do_not_fit_are_refused_with_the_signature(
    fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], words: str
) -> None:
    with pytest.raises(ArgumentError, match=words) as refused:
        bind(fn, args, kwargs)

    assert isinstance(refused.value, TypeError)
    assert refused.value.mend is not None
    assert refused.value.mend.startswith(f"it takes {fn.__name__}(a: 'int'")


def test_a_decorator_that_passes_arguments_itself_is_told_what_to_set() -> None:
    @functools.wraps(two)
    async def with_session(b: int) -> None: ...

    with pytest.raises(ArgumentError, match="__signature__"):
        bind(with_session, (), {})


def test_a_lambda_of_the_moment_is_not_kept() -> None:
    import gc
    import weakref

    async def fleeting(a: int) -> None: ...

    reference = weakref.ref(fleeting)
    bind(fleeting, (1,), {})
    del fleeting
    gc.collect()

    assert reference() is None


def test_an_argument_that_is_not_json_is_told_by_its_parameter() -> None:
    async def compute(user: object, *rest: object) -> None: ...

    assert by_name(compute, ArgumentError("argument 1.since: no", mend="m")).problem == "user.since: no"
    assert by_name(compute, ArgumentError("argument 2: no")).problem == "argument 2: no"
    assert by_name(compute, ArgumentError("size: no")).problem == "size: no"
