"""The options that narrow a list of executions, the same for every command that takes many."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from difflib import get_close_matches
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any

import typer
from msgspec import Struct

from defer_cli.cli import completing
from defer_cli.cli.failures import UsageError
from defer_cli.domain.duration import parse_duration
from defer_cli.domain.errors import SettingError
from defer_cli.domain.execution import ErrorCode, rfc3339
from defer_cli.domain.paging import CAME_FROM, Filters, Interval
from defer_cli.domain.states import State

if TYPE_CHECKING:
    from defer_cli.cli.place import DataPlace

STATES = tuple(map(str, State))
ERROR_CODES = tuple(map(str, ErrorCode))
_OTHER_WORDS = {"running": "started", "done": "succeed", "error": "failed", "killed": "aborted"} | dict.fromkeys(
    ("pending", "queued", "waiting", "scheduled", "retrying"), "created"
)
_TIMES_MEND = 'write a span ago ("2h", "3 days"), "now", or a moment ("2026-11-24", "2026-11-24T08:00Z"; UTC if unsaid)'


class Chosen(Struct, frozen=True, kw_only=True):
    """What the filter options of a command line ask for, and the words that ask for the same again."""

    filters: Filters
    words: tuple[str, ...]

    @property
    def is_everything(self) -> bool:
        """Whether nothing narrows the list."""
        return not self.words

    def data(self) -> dict[str, Any]:
        """Return the filters as plain data, to be sent."""
        import msgspec

        data: dict[str, Any] = msgspec.to_builtins(self.filters)
        return data

    def check_names(self, place: DataPlace) -> None:
        """Raise ``UsageError`` for a function that neither has a file nor ever had an execution."""
        known = set(place.function_files())
        if known.issuperset(self.filters.functions):
            return
        if place.has_store():
            from defer_cli.cli import access

            known |= set(access.ask(place.data, "counts"))
        for name in self.filters.functions:
            if name not in known:
                raise UsageError(
                    f"there is no function {name!r}, and there never was a call of one",
                    where="--function",
                    mend=_nearest(name, sorted(known)),
                )


def filtered(command: Callable[..., int]) -> Callable[..., int]:
    """Give a command the filter options; it gets what they ask for as ``chosen``."""

    def narrowed(**given: Any) -> int:
        own = {name: given.pop(name) for name in list(given) if name not in _OPTIONS}
        return command(chosen=choose(**given), **own)

    kept = inspect.signature(command, eval_str=True).parameters.values()
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
        for name, annotation in _OPTIONS.items()
    ]
    parameters = [option for one in kept for option in (added if one.name == "chosen" else [one])]
    narrowed.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what typer reads
    narrowed.__doc__ = command.__doc__
    narrowed.__annotations__ = {}
    return narrowed


_Words = list[str] | None
_Text = str | None
_OPTIONS: Mapping[str, Any] = {
    "state": Annotated[
        _Words,
        typer.Option(
            "--state",
            metavar="STATE",
            autocompletion=completing.states,
            help=f"In this state; may be repeated: {', '.join(STATES)}.",
        ),
    ],
    "function": Annotated[
        _Words,
        typer.Option(
            "--function", metavar="NAME", autocompletion=completing.functions, help="Of this function; may be repeated."
        ),
    ],
    "error_code": Annotated[
        _Words,
        typer.Option(
            "--error-code",
            metavar="CODE",
            autocompletion=completing.error_codes,
            help="Failed with this code: ER0000 internal, ER0001 too long, ER0002 out of memory, ER0003 raised.",
        ),
    ],
    "metadata": Annotated[
        _Words,
        typer.Option("--metadata", metavar="K=V", help="With this metadata; values of one key are alternatives."),
    ],
    "since": Annotated[
        _Text,
        typer.Option("--since", metavar="TIME", help="Scheduled since: a span ago (2h) or a moment, UTC if unsaid."),
    ],
    "until": Annotated[
        _Text, typer.Option("--until", metavar="TIME", help="Scheduled until then; a bare date is the whole day.")
    ],
    "came_from": Annotated[
        _Words,
        typer.Option(
            "--came-from", metavar="KIND", autocompletion=completing.origins, help=f"Made by: {', '.join(CAME_FROM)}."
        ),
    ],
    "parent": Annotated[
        _Text, typer.Option("--parent", metavar="ID", autocompletion=completing.ids, help="Called by this execution.")
    ],
    "executed_by": Annotated[
        _Text, typer.Option("--executed-by", metavar="RUNNER", help="Started last by this runner.")
    ],
}


def choose(
    *,
    state: Sequence[str] | None = None,
    function: Sequence[str] | None = None,
    error_code: Sequence[str] | None = None,
    metadata: Sequence[str] | None = None,
    since: str | None = None,
    until: str | None = None,
    came_from: Sequence[str] | None = None,
    parent: str | None = None,
    executed_by: str | None = None,
    now: datetime | None = None,
) -> Chosen:
    """Return what filter options ask for; raise ``UsageError`` with the nearest right word."""
    now = now or datetime.now(UTC)
    states = tuple(_known(word.lower(), STATES, "--state", "state") for word in _words(state))
    codes = tuple(_known(word.upper(), ERROR_CODES, "--error-code", "error code") for word in _words(error_code))
    kinds = tuple(_known(word.lower(), CAME_FROM, "--came-from", "origin") for word in _words(came_from))
    span = Interval(
        from_=None if since is None else moment_of(since, "--since", now=now),
        to=None if until is None else moment_of(until, "--until", now=now, is_end=True),
    )
    if span.from_ is not None and span.to is not None and span.from_ > span.to:
        raise UsageError(
            f"it begins after it ends: {rfc3339(span.from_)} to {rfc3339(span.to)}",
            where="--since, --until",
            mend="a larger span ago is earlier",
        )
    try:
        filters = Filters(
            states=states,
            functions=_words(function),
            error_codes=codes,
            scheduled_at=span,
            metadata=_pairs(metadata or ()),
            executed_by=executed_by,
            came_from=kinds,
            parent=parent,
        )
    except SettingError as error:
        raise UsageError(error.problem, where=f"--{error.where}", mend=error.mend) from None
    return Chosen(filters=filters, words=tuple(_said_again(filters)))


def moment_of(text: str, flag: str, *, now: datetime, is_end: bool = False) -> datetime:
    """Return the moment that ``text`` names: a span before ``now``, a date or a time, in UTC where it names no zone.

    A bare date begins with its day, or with ``is_end`` ends with it. Raises ``UsageError`` naming ``flag``.
    """
    words = text.strip().lower().removesuffix("ago").strip()
    if words == "now":
        return now
    try:
        return now - parse_duration(words, where=flag)
    except SettingError:
        pass
    try:
        day = date.fromisoformat(text.strip())
        return datetime.combine(day, time.max if is_end else time.min, tzinfo=UTC)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text.strip())
        return moment.replace(tzinfo=UTC) if moment.utcoffset() is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(f"{text!r} is no time", where=flag, mend=_TIMES_MEND) from None


def _words(given: Iterable[str] | None) -> tuple[str, ...]:
    """Return the words of an option that may be repeated, or hold several with commas between them."""
    return tuple(dict.fromkeys(word.strip() for text in given or () for word in text.split(",") if word.strip()))


def _known(word: str, words: Sequence[str], flag: str, noun: str) -> str:
    if word in words:
        return word
    also = _OTHER_WORDS if words is STATES else {}
    raise UsageError(f"there is no {noun} {word!r}", where=flag, mend=_nearest(word, words, also))


def _nearest(word: str, words: Sequence[str], also: Mapping[str, str] = MappingProxyType({})) -> str:
    near = get_close_matches(word, [*words, *also], n=1, cutoff=0.5)
    return f"did you mean {also.get(near[0], near[0])!r}?" if near else f"use {', '.join(words) or 'another one'}"


def _pairs(texts: Sequence[str]) -> dict[str, list[str]]:
    pairs: dict[str, list[str]] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise UsageError(f"{text!r} is not k=v", where="--metadata", mend="write --metadata user=12")
        pairs.setdefault(key, []).append(value)
    return pairs


def _said_again(filters: Filters) -> Iterable[str]:
    """Return words that ask for ``filters``; spans ago have become moments, so the list stays the same."""
    for flag, values in (
        ("--state", filters.states),
        ("--function", filters.functions),
        ("--error-code", filters.error_codes),
        ("--came-from", filters.came_from),
    ):
        if values:
            yield from (flag, ",".join(values))
    for key, values in filters.metadata.items():
        for value in values:
            yield from ("--metadata", f"{key}={value}")
    for flag, moment in (("--since", filters.scheduled_at.from_), ("--until", filters.scheduled_at.to)):
        if moment is not None:
            yield from (flag, rfc3339(moment))
    for flag, text in (("--parent", filters.parent), ("--executed-by", filters.executed_by)):
        if text is not None:
            yield from (flag, text)
