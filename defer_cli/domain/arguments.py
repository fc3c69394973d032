"""What may be an argument or a result: JSON, within limits, encoded one way."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from typing import Any

import msgspec

from defer_cli.domain.errors import ArgumentError, ArgumentsTooLarge

LARGEST_BYTES = 1024 * 1024
DEEPEST = 100

_ATOMS = frozenset({type(None), bool, int, str})
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":")).encode
_encode_sorted = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":"), sort_keys=True
).encode

_encode_atoms = msgspec.json.Encoder().encode
"""For what is neither a float nor holds anything: the same bytes, twenty times as fast."""

_MENDS = {
    "datetime": "send .isoformat()",
    "date": "send .isoformat()",
    "UUID": "send str(…)",
    "Decimal": "send str(…)",
    "set": "send a list",
    "frozenset": "send a list",
    "bytes": "send text, or base64",
}


def encode_arguments(args: Sequence[object], kwargs: Mapping[str, object]) -> tuple[bytes, bytes]:
    """Return the arguments of a call as stored, and as hashed (dict keys sorted; often the same object).

    Without keyword arguments it is a JSON array, else ``{"args": [...], "kwargs": {...}}``.
    Raises ``ArgumentError`` with the path of the culprit.
    """
    if not kwargs and all(map(_ATOMS.__contains__, map(type, args))):
        encoded = _of_atoms(args)
        if encoded is not None:
            return encoded, encoded
    has_mapping = bool(kwargs)
    for position, value in enumerate(args):
        if type(value) not in _ATOMS:
            has_mapping |= _check(value, f"argument {position + 1}", 1, [LARGEST_BYTES])
    for name, value in kwargs.items():
        if type(value) not in _ATOMS:
            _check(value, name, 1, [LARGEST_BYTES])
    content: object = {"args": args, "kwargs": kwargs} if kwargs else args
    stored = _to_bytes(_encode, content, "arguments")
    return stored, _to_bytes(_encode_sorted, content, "arguments") if has_mapping else stored


def _of_atoms(values: Sequence[object]) -> bytes | None:
    """Return a JSON array; None for what cannot be one: the slow way tells why."""
    try:
        encoded = _encode_atoms(values)
    except (ValueError, OverflowError):
        return None
    return encoded if len(encoded) <= LARGEST_BYTES else None


def hashed_form(arguments: bytes) -> bytes:
    """Return the hashed form of stored arguments."""
    return _encode_sorted(json.loads(arguments)).encode() if b"{" in arguments else arguments


def decode_arguments(arguments: bytes) -> tuple[list[Any], dict[str, Any]]:
    """Return the positional and keyword arguments of a stored call."""
    content = json.loads(arguments)
    if isinstance(content, dict):
        return content["args"], content["kwargs"]
    return content, {}


def encode_result(value: object) -> bytes | None:
    """Return a result as stored, None for None; raise ``ArgumentError`` when it is not JSON."""
    if value is None:
        return None
    if type(value) not in _ATOMS:
        _check(value, "result", 1, [LARGEST_BYTES])
    return _to_bytes(_encode, value, "result")


def _to_bytes(encode: Any, content: object, what: str) -> bytes:
    try:
        encoded: bytes = encode(content).encode()
    except UnicodeEncodeError as error:
        raise ArgumentError(
            f"{_path_of_surrogate(content, what)}: the lone surrogate {error.object[error.start]!a} is not text",
            mend="decode the text with the right encoding, or replace what cannot be decoded",
        ) from None
    except ValueError:  # an int over Python's limit of digits
        raise ArgumentError(f"{what}: an int has more digits than Python writes", mend="send hex(…)") from None
    if len(encoded) > LARGEST_BYTES:
        raise ArgumentsTooLarge(
            f"{what}: {len(encoded):,} bytes of JSON, the limit is {LARGEST_BYTES:,}",
            mend="store the data elsewhere and pass its key",
        )
    return encoded


def _path_of_surrogate(content: Any, what: str) -> str:
    if what == "result":
        parts = [(what, content)]
    else:
        args, kwargs = (content["args"], content["kwargs"]) if isinstance(content, dict) else (content, {})
        parts = [(f"argument {position + 1}", value) for position, value in enumerate(args)]
        parts += kwargs.items()
    texts = (found for path, value in parts for found in _texts(value, path))
    return next((path for path, text in texts if any("\ud800" <= letter <= "\udfff" for letter in text)), what)


def _texts(value: object, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield path, key
            yield from _texts(item, f"{path}.{key}")
    elif isinstance(value, list | tuple):
        for position, item in enumerate(value):
            yield from _texts(item, f"{path}[{position}]")


def _check(value: object, path: str, depth: int, room: list[int]) -> bool:
    """Check that ``value`` is JSON; return whether a dict with several keys is inside.

    ``room`` holds how many items may still come: each is a byte at least, and a list that holds another twice,
    that one a third twice, and so on, is never walked to its end.
    """
    kind = type(value)
    if kind in _ATOMS:
        return False
    if kind is float or isinstance(value, float):
        if not isfinite(value):  # type: ignore[arg-type]  # narrowed by kind above
            raise ArgumentError(f"{path}: {value!r} is not JSON", mend="send None or a finite number")
        return False
    if isinstance(value, list | tuple):
        _check_extent(path, depth, len(value), room)
        found = False
        for position, item in enumerate(value):
            if type(item) not in _ATOMS:
                found |= _check(item, f"{path}[{position}]", depth + 1, room)
        return found
    if isinstance(value, dict):
        _check_extent(path, depth, len(value), room)
        found = len(value) > 1
        for key, item in value.items():
            if not isinstance(key, str):
                raise ArgumentError(
                    f"{path}: the key {key!r} is a {type(key).__name__}, JSON has only str keys", mend="send str(key)"
                )
            if type(item) not in _ATOMS:
                found |= _check(item, f"{path}.{key}", depth + 1, room)
        return found
    if isinstance(value, int | str):  # an IntEnum or a str subclass: encoded as what it is
        return False
    raise ArgumentError(
        f"{path}: {kind.__name__} is not JSON", mend=_MENDS.get(kind.__name__, "send its fields, or its key")
    )


def _check_extent(path: str, depth: int, length: int, room: list[int]) -> None:
    shown = path if len(path) <= 60 else path[:60] + "…"
    if depth > DEEPEST:
        raise ArgumentError(
            f"{shown}: nested deeper than {DEEPEST}", mend="flatten it, or check whether it contains itself"
        )
    room[0] -= length
    if room[0] < 0:
        raise ArgumentsTooLarge(
            f"{shown}: more than {LARGEST_BYTES:,} items in all, over the limit of {LARGEST_BYTES:,} bytes of JSON",
            mend="store the data elsewhere and pass its key",
        )
