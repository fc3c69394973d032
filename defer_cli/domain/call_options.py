"""What one call may ask for beyond its arguments: when, until when, metadata and a key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from defer_cli.domain.duration import parse_duration, parse_when
from defer_cli.domain.errors import SettingError

MOST_METADATA = 25
LONGEST_TEXT = 256
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOptions:
    """Checked options of a call: spans count from the call, moments are aware."""

    delay: timedelta | datetime | None = None
    discard_after: timedelta | datetime | None = None
    metadata: Mapping[str, str] = field(default_factory=dict, hash=False)
    key: str | None = None

    def merged(
        self,
        *,
        delay: object = None,
        discard_after: object = None,
        metadata: object = None,
        key: object = None,
    ) -> CallOptions:
        """Return these options with those given laid over them; None leaves one as it is, metadata adds up."""
        return CallOptions(
            delay=self.delay if delay is None else checked_when(delay, where="delay"),
            discard_after=self.discard_after
            if discard_after is None
            else checked_when(discard_after, where="discard_after"),
            metadata=self.metadata if metadata is None else _added(self.metadata, checked_metadata(metadata)),
            key=self.key if key is None else checked_key(key),
        )


NO_OPTIONS = CallOptions()


def checked_when(value: object, *, where: str) -> timedelta | datetime:
    """Return a span or an aware UTC moment; raise ``SettingError`` naming ``where``."""
    if isinstance(value, datetime):
        return parse_when(value, where=where, now=_EPOCH)
    if isinstance(value, date):
        mend = f"use an aware datetime, e.g. datetime({value.year}, {value.month}, {value.day}, 8, tzinfo=UTC)"
        raise SettingError(f"{value.isoformat()} is a day, not a moment", where=where, mend=mend)
    return parse_duration(value, where=where)


def checked_key(value: object) -> str:
    """Return ``value`` as a key; raise ``SettingError`` when it cannot be one."""
    if not isinstance(value, str):
        raise SettingError(f"key is {value!r}, a {type(value).__name__}", where="key", mend="use a str, e.g. str(…)")
    if not 1 <= len(value) <= LONGEST_TEXT or not value.isprintable():
        raise SettingError(f"key is {_cut(value)}", where="key", mend=f"use 1 to {LONGEST_TEXT} printable characters")
    return str.__str__(value)


def checked_metadata(value: object) -> Mapping[str, str]:
    """Return a copy of ``value``; raise ``SettingError`` when it is not small text to small text."""
    if not isinstance(value, Mapping):
        raise SettingError(f"metadata is a {type(value).__name__}", where="metadata", mend='use a dict: {"user": "12"}')
    for key, text in value.items():
        _check_text(key, f"the key {_cut(key)}")
        _check_text(text, f"{key}={_cut(text)}")
    # Plain texts: those of a subclass, as frameworks have for what needs no escape, do not travel.
    return _within_limit({str.__str__(key): str.__str__(text) for key, text in value.items()})


def _added(old: Mapping[str, str], new: Mapping[str, str]) -> Mapping[str, str]:
    return _within_limit({**old, **new})


def _within_limit(metadata: dict[str, str]) -> Mapping[str, str]:
    if len(metadata) > MOST_METADATA:
        raise SettingError(
            f"metadata has {len(metadata)} pairs, the limit is {MOST_METADATA}",
            where="metadata",
            mend="keep what you search by, and pass the rest as arguments",
        )
    return metadata


def _check_text(value: object, shown: str) -> None:
    if not isinstance(value, str):
        raise SettingError(f"{shown} is a {type(value).__name__}", where="metadata", mend="use str(…)")
    if not 1 <= len(value) <= LONGEST_TEXT or not (value.isascii() and value.isprintable()):
        raise SettingError(
            f"{shown} cannot be metadata", where="metadata", mend=f"use 1 to {LONGEST_TEXT} printable ASCII characters"
        )


def _cut(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:60] + "…"
