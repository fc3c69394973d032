"""What may be an argument or a result, and how it is encoded."""

from __future__ import annotations

import json
from collections import OrderedDict
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from defer_cli.domain.arguments import (
    LARGEST_BYTES,
    decode_arguments,
    encode_arguments,
    encode_result,
    hashed_form,
)
from defer_cli.domain.errors import ArgumentError

text = st.text(st.characters(codec="utf-8"))
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda inner: st.lists(inner) | st.dictionaries(text, inner),
    max_leaves=20,
)
calls = st.tuples(st.lists(values), st.dictionaries(text, values))


class Colour(StrEnum):
    RED = "red"


class Size(IntEnum):
    LARGE = 3


def nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


def turned(value: Any) -> Any:
    """Return ``value`` with the keys of every dict the other way round."""
    if isinstance(value, dict):
        return {key: turned(item) for key, item in reversed(value.items())}
    if isinstance(value, list):
        return [turned(item) for item in value]
    return value


@given(calls)
def test_what_is_encoded_is_decoded_again(call: tuple[list[Any], dict[str, Any]]) -> None:
    stored, _ = encode_arguments(*call)

    assert decode_arguments(stored) == call


@given(calls)
def test_the_hashed_form_can_be_made_from_the_stored_one(call: tuple[list[Any], dict[str, Any]]) -> None:
    stored, hashed = encode_arguments(*call)

    assert hashed_form(stored) == hashed


@given(calls)
def test_the_order_of_keys_does_not_change_the_hashed_form(call: tuple[list[Any], dict[str, Any]]) -> None:
    args, kwargs = call

    assert encode_arguments(args, kwargs)[1] == encode_arguments(turned(args), turned(kwargs))[1]


@given(values)
def test_a_result_is_json(value: Any) -> None:
    encoded = encode_result(value)

    assert value is None if encoded is None else json.loads(encoded) == value


@pytest.mark.parametrize(
    ("value", "arrives"),
    [
        ((1, (2,)), [1, [2]]),
        (2**70, 2**70),
        (-(2**70), -(2**70)),
        (Colour.RED, "red"),
        ([Size.LARGE], [3]),
        (OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
        ("\0 \u2028 🙂", "\0 \u2028 🙂"),
        (1e308, 1e308),
        (-0.0, -0.0),
    ],
    ids=repr,
)
def test_an_argument_arrives_as_json_has_it(value: object, arrives: object) -> None:
    stored, _ = encode_arguments([value], {})

    assert decode_arguments(stored) == ([arrives], {})


def test_text_is_stored_as_it_is_written() -> None:
    assert encode_arguments(["é"], {})[0] == '["é"]'.encode()


@pytest.mark.parametrize(
    ("value", "refusal"),
    [
        (datetime(2026, 1, 1, tzinfo=UTC), "argument 1: datetime is not JSON; send .isoformat()"),
        (date(2026, 1, 1), "argument 1: date is not JSON; send .isoformat()"),
        (UUID(int=1), "argument 1: UUID is not JSON; send str(…)"),
        (Decimal(1), "argument 1: Decimal is not JSON; send str(…)"),
        ({1}, "argument 1: set is not JSON; send a list"),
        (b"x", "argument 1: bytes is not JSON; send text, or base64"),
        (object(), "argument 1: object is not JSON; send its fields, or its key"),
        (float("nan"), "argument 1: nan is not JSON; send None or a finite number"),
        ([0.0, float("-inf")], "argument 1[1]: -inf is not JSON; send None or a finite number"),
        ({"a": [{"b": b""}]}, "argument 1.a[0].b: bytes is not JSON; send text, or base64"),
        ({"a": {1: 2}}, "argument 1.a: the key 1 is a int, JSON has only str keys; send str(key)"),
        ({None: 2}, "argument 1: the key None is a NoneType, JSON has only str keys; send str(key)"),
        ({"a": ["ok", "\ud800"]}, r"argument 1.a[1]: the lone surrogate '\ud800' is not text; decode the text"),
        ({"a\udfff": 1}, r"argument 1: the lone surrogate '\udfff' is not text; decode the text"),
        (10**5000, "arguments: an int has more digits than Python writes; send hex(…)"),
    ],
    ids=lambda value: value[:50] if isinstance(value, str) else "",
)
def test_what_is_not_json_is_refused_with_its_path(value: object, refusal: str) -> None:
    with pytest.raises(ArgumentError) as refused:
        encode_arguments([value], {})

    assert str(refused.value).startswith(refusal)


@pytest.mark.parametrize("value", [datetime(2026, 1, 1, tzinfo=UTC), "\ud800"], ids=["datetime", "surrogate"])
def test_a_named_argument_is_refused_by_its_name(value: object) -> None:
    with pytest.raises(ArgumentError, match=r"^user\.created_at: "):
        encode_arguments([1], {"user": {"created_at": value}})


@pytest.mark.parametrize("value", [{1}, "\ud800", [b""]], ids=["set", "surrogate", "bytes"])
def test_a_result_that_is_not_json_is_refused(value: object) -> None:
    with pytest.raises(ArgumentError, match="^result"):
        encode_result(value)


def test_a_hundred_levels_are_allowed() -> None:
    assert decode_arguments(encode_arguments([nested(100)], {"a": nested(100)})[0]) == (
        [nested(100)],
        {"a": nested(100)},
    )
    assert encode_result(nested(100)) == b"[" * 100 + b"]" * 100


def test_a_hundred_and_one_levels_are_refused() -> None:
    with pytest.raises(ArgumentError, match=r"^argument 1\[0\].*nested deeper than 100"):
        encode_arguments([nested(101)], {})
    with pytest.raises(ArgumentError, match="^a.*nested deeper than 100"):
        encode_arguments([], {"a": nested(101)})
    with pytest.raises(ArgumentError, match="^result.*nested deeper than 100"):
        encode_result(nested(101))


def test_a_value_of_a_hundred_thousand_levels_is_refused_too() -> None:
    with pytest.raises(ArgumentError, match="nested deeper"):
        encode_arguments([nested(100_000)], {})


def test_what_contains_itself_is_refused() -> None:
    circle: dict[str, Any] = {}
    circle["again"] = [circle]

    with pytest.raises(ArgumentError, match="whether it contains itself"):
        encode_arguments([circle], {})


def test_one_mebibyte_is_allowed() -> None:
    assert len(encode_arguments(["x" * (LARGEST_BYTES - 4)], {})[0]) == LARGEST_BYTES
    assert len(encode_result("x" * (LARGEST_BYTES - 2)) or b"") == LARGEST_BYTES


def test_a_byte_more_is_refused() -> None:
    with pytest.raises(ArgumentError, match="arguments: 1,048,577 bytes of JSON, the limit is 1,048,576"):
        encode_arguments(["x" * (LARGEST_BYTES - 3)], {})
    with pytest.raises(ArgumentError, match="result: 1,048,577 bytes"):
        encode_result("x" * (LARGEST_BYTES - 1))


def test_the_limit_counts_bytes_not_letters() -> None:
    with pytest.raises(ArgumentError, match="bytes of JSON"):
        encode_arguments(["é" * (LARGEST_BYTES // 2)], {})


def test_no_result_takes_no_room() -> None:
    assert encode_result(None) is None


def test_lists_that_hold_each_other_twice_are_refused_without_walking_them_all() -> None:
    value: list[object] = []
    for _ in range(60):
        value = [value, value]

    with pytest.raises(ArgumentError, match="items in all"):
        encode_arguments([value], {})
