"""Which names look like secrets, and how a value under one is shown."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

MASK = "•••"
_WORDS = frozenset(
    """auth authorization bearer cookie credential cvc cvv dsn jwt otp pass passcode passphrase passwd password pin pwd
    secret token""".split()
)
_PAIRS = (
    *("access_key", "account_key", "api_key", "auth_key", "encryption_key", "private_key", "secret_key", "signing_key"),
    *("connection_string", "database_url", "webhook_url"),
)
_BORDERS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[^A-Za-z0-9]+")
_RUN_TOGETHER = {"apikey": "api_key", "accesskey": "access_key", "privatekey": "private_key", "secretkey": "secret_key"}


def looks_secret(name: str, *, also: Collection[str] = ()) -> bool:
    """Return whether a value under ``name`` is not to be shown: ``api_key``, ``userPassword``, ``X-Auth-Token``.

    A word of the name decides, in the singular or plural; ``also`` are more such names.
    """
    words = _words(name)
    joined = f"_{'_'.join(map(_singular, words))}_"
    pairs = [*_PAIRS, *("_".join(map(_singular, _words(one))) for one in also)]
    return not _WORDS.isdisjoint({*words, *map(_singular, words)}) or any(f"_{pair}_" in joined for pair in pairs)


def masked(value: Any, *, also: Collection[str] = ()) -> Any:
    """Return JSON data with what lies under secret names masked, however deep."""
    if isinstance(value, Mapping):
        return {name: masked_under(name, one, also=also) for name, one in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [masked(one, also=also) for one in value]
    return value


def masked_under(name: str, value: Any, *, also: Collection[str] = ()) -> Any:
    """Return a value that is called ``name`` as it may be shown.

    None, True and False give nothing away, nor does a number under a plural, which counts: ``max_tokens=100``.
    """
    if not looks_secret(name, also=also):
        return masked(value, also=also)
    is_count = isinstance(value, int | float) and name.lower().endswith("s")
    return value if value is None or isinstance(value, bool) or is_count else MASK


def _words(name: str) -> list[str]:
    words = [word.lower() for word in _BORDERS.split(name) if word]
    return [_RUN_TOGETHER.get(_singular(word), word) for word in words]


def _singular(word: str) -> str:
    return word.removesuffix("s")
