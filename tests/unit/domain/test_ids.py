"""Ids name calls: unique, ordered, the same for the same call."""

from __future__ import annotations

import time
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from defer_cli.domain.ids import (
    call_hash,
    child_id,
    encode_id,
    is_id,
    keyed_id,
    random_id,
    random_tails,
    tick_id,
    time_ordered_id,
)

PARENT = "01kb8p3v9nw5t2q7r4x6y0z1ac"
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def decoded(id: str) -> int:
    number = 0
    for letter in id:
        number = number * 32 + ALPHABET.index(letter)
    return number


@given(st.integers(0, 2**128 - 1))
def test_an_id_holds_its_whole_number(number: int) -> None:
    assert is_id(encode_id(number))
    assert decoded(encode_id(number)) == number


@given(st.integers(0, 2**128 - 1), st.integers(0, 2**128 - 1))
def test_ids_sort_like_their_numbers(one: int, other: int) -> None:
    assert (encode_id(one) < encode_id(other)) is (one < other)


@pytest.mark.parametrize("text", ["", "0" * 25, "0" * 27, "8" + "0" * 25, "i" * 26, "0" * 25 + "U", "é" * 26])
def test_what_is_no_id_is_known(text: str) -> None:
    assert not is_id(text)


def test_random_ids_are_unique() -> None:
    assert len({random_id() for _ in range(10_000)}) == 10_000


def test_a_random_id_is_a_uuid_of_version_7() -> None:
    made = UUID(int=decoded(random_id()))

    assert (made.version, made.variant) == (7, "specified in RFC 4122")


@given(st.integers(0, 2**48 - 1), st.binary(min_size=16, max_size=16))
def test_an_id_of_a_time_holds_its_moment_its_kind_and_74_random_bits(milliseconds: int, random: bytes) -> None:
    (tail,) = random_tails(random)
    number = decoded(time_ordered_id(milliseconds, tail))
    bits = "".join(f"{byte & 31:05b}" for byte in random)

    assert number >> 80 == milliseconds
    assert (UUID(int=number).version, UUID(int=number).variant) == (7, "specified in RFC 4122")
    assert f"{number & (1 << 80) - 1:080b}" == f"0111{bits[4:16]}10{bits[18:]}"


def test_several_tails_are_drawn_at_once() -> None:
    one, other = bytes(range(16)), bytes(range(16, 32))

    assert random_tails(one + other) == [*random_tails(one), *random_tails(other)]


def test_a_later_random_id_sorts_later(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = []
    for millisecond in (1, 2, 3, 1000, 2**47):
        monkeypatch.setattr(time, "time_ns", lambda now=millisecond: now * 1_000_000)
        ids.append(random_id())

    assert ids == sorted(ids)


def test_a_key_names_one_execution_of_its_function() -> None:
    assert keyed_id("send", "a") == keyed_id("send", "a")
    assert is_id(keyed_id("send", "a"))


@pytest.mark.parametrize(("function", "key"), [("send", "b"), ("mail", "a"), ("sen", "da"), ("senda", "")])
def test_another_function_or_key_has_another_id(function: str, key: str) -> None:
    assert keyed_id(function, key) != keyed_id("send", "a")


def test_an_equal_call_has_the_same_hash_in_every_parent() -> None:
    assert call_hash("send", b"[1]", 0) == call_hash("send", b"[1]", 0)
    assert len(call_hash("send", b"[1]", 0)) == 16


@pytest.mark.parametrize(
    ("function", "arguments", "nth"), [("mail", b"[1]", 0), ("send", b"[2]", 0), ("send", b"[1]", 1)]
)
def test_another_call_has_another_hash(function: str, arguments: bytes, nth: int) -> None:
    assert call_hash(function, arguments, nth) != call_hash("send", b"[1]", 0)


def test_a_parent_that_runs_again_finds_its_child() -> None:
    call = call_hash("send", b"[1]", 0)

    assert child_id(PARENT, call, 0) == child_id(PARENT, call, 0)


def test_a_marked_child_is_made_anew() -> None:
    call = call_hash("send", b"[1]", 0)

    assert len({child_id(PARENT, call, marked) for marked in range(100)}) == 100


def test_parents_that_begin_alike_have_different_children() -> None:
    call = call_hash("send", b"[1]", 0)

    assert child_id(PARENT, call, 0) != child_id(PARENT[:-1] + "d", call, 0)


@given(st.binary(max_size=16), st.integers(0, 9))
def test_a_child_begins_like_its_parent(call: bytes, marked: int) -> None:
    child = child_id(PARENT, call, marked)

    assert is_id(child)
    assert child[:9] == PARENT[:9]


def test_a_tick_names_one_execution_of_its_function() -> None:
    assert tick_id("brief", 1_795_420_800_000_000) == tick_id("brief", 1_795_420_800_000_000)
    assert is_id(tick_id("brief", 1_795_420_800_000_000))


@pytest.mark.parametrize(("function", "tick_us"), [("other", 60_000_000), ("brief", 120_000_000), ("brief6", 0)])
def test_another_tick_has_another_id(function: str, tick_us: int) -> None:
    assert tick_id(function, tick_us) != tick_id("brief", 60_000_000)


@given(st.integers(0, 2**40), st.integers(1, 2**40))
def test_a_later_tick_has_a_later_id(minutes: int, more: int) -> None:
    limit = 253_402_300_799 // 60
    tick, later = minutes % limit, min(minutes % limit + more, limit)

    assert tick_id("a", tick * 60_000_000) < tick_id("b", later * 60_000_000)
