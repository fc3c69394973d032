"""Ids name calls: 128 bits as 26 characters of lower-case Crockford base32."""

from __future__ import annotations

import os
import time
from functools import lru_cache
from hashlib import blake2b

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
LENGTH = 26
TAIL_LENGTH = 16
_LETTERS = bytes(ord(_ALPHABET[byte & 0b11111]) for byte in range(256))
_VERSION_LETTERS = bytes(ord(_ALPHABET[0b01110 | byte & 0b00001]) for byte in range(256))
_VARIANT_LETTERS = bytes(ord(_ALPHABET[0b01000 | byte & 0b10011]) for byte in range(256))
"""The letter of a random byte: any; the first of a tail, where the version is 0111; the fourth, with the variant 10."""


def encode_id(number: int) -> str:
    """Return the 26 characters for a 128-bit number."""
    pairs = _PAIRS
    return "".join([pairs[number >> shift & 1023] for shift in range(120, -1, -10)])


def is_id(text: str) -> bool:
    """Return whether ``text`` has the form of an id."""
    return len(text) == LENGTH and text[0] in "01234567" and all(letter in _ALPHABET for letter in text)


def random_tails(random: bytes) -> list[str]:
    """Return what follows the moment in an id of a time, one for each ``TAIL_LENGTH`` random bytes.

    Of each byte five bits count; some of the first are those that say which kind of number it is (UUIDv7, RFC 9562
    section 5.7).
    """
    letters = bytearray(random.translate(_LETTERS))
    letters[0::TAIL_LENGTH] = random[0::TAIL_LENGTH].translate(_VERSION_LETTERS)
    letters[3::TAIL_LENGTH] = random[3::TAIL_LENGTH].translate(_VARIANT_LETTERS)
    text = letters.decode()
    return [text[start : start + TAIL_LENGTH] for start in range(0, len(text), TAIL_LENGTH)]


def time_ordered_id(milliseconds: int, tail: str) -> str:
    """Return the id for a moment since 1970 that ends as ``random_tails`` tells."""
    return _head_of(milliseconds & 0xFFFFFFFFFFFF) + tail


@lru_cache(maxsize=2)
def _head_of(milliseconds: int) -> str:
    """Return the 10 characters of a moment: of ids made in a row many begin with the same."""
    return encode_id(milliseconds << 80)[:10]


def random_id() -> str:
    """Return a new id, ordered by time."""
    return time_ordered_id(time.time_ns() // 1_000_000, random_tails(os.urandom(TAIL_LENGTH))[0])


def keyed_id(function: str, key: str) -> str:
    """Return the id of the one execution of ``function`` that holds ``key``."""
    return encode_id(int.from_bytes(_digest(b"key", function.encode(), key.encode()), "big"))


def tick_id(function: str, tick_us: int) -> str:
    """Return the id of the one execution that a tick (microseconds since 1970) of ``function`` makes.

    It begins with the tick's milliseconds, so that executions of one time lie side by side in the index of ids.
    """
    digest = _digest(b"tick", function.encode(), str(tick_us).encode())
    return encode_id((tick_us // 1_000 & 0xFFFFFFFFFFFF) << 80 | int.from_bytes(digest, "big") & (1 << 80) - 1)


def tick_of(id: str) -> int:
    """Return the tick (microseconds since 1970) that made the id of an execution; ticks are whole milliseconds."""
    number = 0
    for letter in id:
        number = number << 5 | _ALPHABET.index(letter)
    return (number >> 80 & 0xFFFFFFFFFFFF) * 1_000


def call_hash(function: str, arguments: bytes, nth: int) -> bytes:
    """Return 16 bytes that name the ``nth`` equal call inside a parent, whichever parent it is."""
    return _digest(b"call", function.encode(), arguments, str(nth).encode())


def child_id(parent_id: str, call: bytes, marked: int) -> str:
    """Return the id of a call made inside ``parent_id``.

    It begins with the parent's first 9 characters (43 of its bits), so that the children of one parent lie side by
    side in the index of ids; the rest hashes the parent, the call and how many of its earlier children are marked.
    """
    digest = _digest(b"child", parent_id.encode(), call, str(marked).encode())
    return parent_id[:9] + encode_id(int.from_bytes(digest, "big"))[9:]


def _digest(*parts: bytes) -> bytes:
    hashed = blake2b(digest_size=16)
    for part in parts:
        hashed.update(len(part).to_bytes(8, "big"))
        hashed.update(part)
    return hashed.digest()
