"""`defer trigger`: enqueues one execution by hand, and waits for its end when asked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import PurePath
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from defer_cli.cli import completing
from defer_cli.cli.check import count_problems
from defer_cli.cli.failures import INVALID, OK, NotFound, UsageError, show_problems, show_warning
from defer_cli.cli.moments import span_of, when_of
from defer_cli.cli.options import Data, Directory, Project
from defer_cli.cli.output import say
from defer_cli.domain.errors import ArgumentError, CallRefused, SettingError
from defer_cli.domain.execution import to_microseconds

if TYPE_CHECKING:
    from defer_cli.cli.place import Place
    from defer_cli.discovery.discover import Discovery
    from defer_cli.domain.call_options import CallOptions
    from defer_cli.domain.enqueue import Enqueue
    from defer_cli.domain.function import FunctionSpec
    from defer_cli.link.project import DataFolder

Name = Annotated[str, typer.Argument(metavar="NAME", autocompletion=completing.functions, help="The function or cron.")]
Args = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[ARG]...", help="Its arguments as JSON; a bare word is text. Put -- before a negative number."
    ),
]
Delay = Annotated[
    str | None, typer.Option("--delay", metavar="TIME", help="Start no sooner: 30s, 1h30m, or a moment, UTC if unsaid.")
]
DiscardAfter = Annotated[
    str | None, typer.Option("--discard-after", metavar="TIME", help="Start no later: a span from now, or a moment.")
]
Key = Annotated[str | None, typer.Option("--key", metavar="KEY", help="Calls with one key are one execution.")]
Metadata = Annotated[
    list[str] | None, typer.Option("--metadata", metavar="K=V", help="Text to search by; may be repeated.")
]
WaitFlag = Annotated[bool, typer.Option("--wait", help="Wait for the end and print the result; exit 6 when it failed.")]
Timeout = Annotated[
    str | None, typer.Option("--timeout", metavar="SPAN", help="With --wait: give up after this, exit 124.")
]


def trigger(
    *,
    name: Name,
    args: Args = None,
    project: Project = None,
    directory: Directory = None,
    data: Data = None,
    delay: Delay = None,
    discard_after: DiscardAfter = None,
    key: Key = None,
    metadata: Metadata = None,
    wait: WaitFlag = False,
    timeout: Timeout = None,
) -> int:
    """Enqueue one execution of a function or cron and print its id."""
    options = _call_options(delay, discard_after, key, metadata or [])
    limit = _timeout(timeout, is_waiting=wait)
    values = [_value(word) for word in args or []]

    from defer_cli.cli.place import find_place
    from defer_cli.discovery.discover import discover

    place = find_place(project, directory, data)
    spec = _find(name, place, discover(place.project, place.folder))
    if spec is None:
        return INVALID
    call = _call(spec, values, options)

    from defer_cli.cli import access

    place.data.require()

    stored = access.enqueue(place.data, call)
    print(call.id, flush=True)
    if stored is not None and not stored.is_new:
        say(f"the key {key!r} is held by this execution already: {stored.state}")
    if wait:
        from defer_cli.cli.waiting import wait_for_end

        return wait_for_end(place.data, call.id, spec.name, limit)
    if access.reach(place.data) is None:
        say(access.NO_RUNNER)
    return OK


def _find(name: str, place: Place, found: Discovery) -> FunctionSpec | None:
    """Return the function called ``name``; None when its file is broken, which is shown, and no runner has it.

    Other files may be broken as they like. Of a broken file a living runner may run the last good version.
    """
    functions = {spec.name: spec for spec in found.functions}
    if name in functions or not found.has_breach:
        return find_function(name, functions)
    own = [one for one in found.problems if name in (one.function, PurePath(one.file).stem)]
    running = _of_the_runner(name, place.data)
    if running is not None:
        show_warning(
            f"{name} is broken now; the runner has its last good version",
            where=own[0].where if own else None,
            mend="see `defer check`",
        )
        return running
    if own:
        show_problems(own)
        return None
    show_warning(f"{count_problems(found.problems)} in other files", mend="see `defer check`")
    return find_function(name, functions)


def _of_the_runner(name: str, data: DataFolder) -> FunctionSpec | None:
    """Return the function as a living runner has it, None when there is none."""
    import msgspec

    from defer_cli.cli import access
    from defer_cli.domain.function import FunctionSpec

    line = access.reach(data)
    if line is None:
        return None
    with line:
        told = line.ask("function", name=name)
    return None if told is None else msgspec.convert(told, FunctionSpec)


def find_function(name: str, functions: dict[str, FunctionSpec]) -> FunctionSpec:
    """Return the function called ``name``; raise ``NotFound`` with the nearest known name."""
    from defer_cli.intake import known_function

    try:
        return known_function(name, functions)
    except CallRefused as error:
        raise NotFound(error.problem, where=error.where, mend=error.mend) from None


def _call(spec: FunctionSpec, values: Sequence[object], options: CallOptions) -> Enqueue:
    from defer_cli.domain.enqueue import Enqueue
    from defer_cli.domain.ids import keyed_id, random_id
    from defer_cli.intake import fit_arguments

    now = datetime.now(UTC)
    return Enqueue(
        id=keyed_id(spec.name, options.key) if options.key else random_id(),
        function=spec.name,
        arguments=fit_arguments(spec, values),
        called_us=to_microseconds(now),
        scheduled_us=_moment_us(options.delay, now),
        discard_us=_moment_us(options.discard_after, now),
        metadata=dict(options.metadata) or None,
        key=options.key,
    )


def _moment_us(when: timedelta | datetime | None, now: datetime) -> int | None:
    if when is None:
        return None
    return to_microseconds(now + when if isinstance(when, timedelta) else when)


def _value(word: str) -> object:
    """Return what an argument of the command line stands for: JSON, or a bare word."""
    try:
        return json.loads(word, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        if word.lstrip().startswith(("{", "[", '"')):
            raise ArgumentError(
                f"{word!r} is not JSON: {error}", mend="quote it for the shell, e.g. '{\"user\": 1}' or '\"text\"'"
            ) from None
        return word


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _call_options(
    delay: str | None, discard_after: str | None, key: str | None, metadata: Sequence[str]
) -> CallOptions:
    from defer_cli.domain.call_options import NO_OPTIONS

    pairs: dict[str, str] = {}
    for pair in metadata:
        name, equals, value = pair.partition("=")
        if not equals:
            raise UsageError(f"{pair!r} is not k=v", where="--metadata", mend="write --metadata user=12")
        pairs[name] = value
    try:
        now = datetime.now(UTC)
        return NO_OPTIONS.merged(
            delay=None if delay is None else when_of(delay, "--delay", now=now),
            discard_after=None if discard_after is None else when_of(discard_after, "--discard-after", now=now),
            metadata=pairs or None,
            key=key,
        )
    except SettingError as error:
        where = error.where if error.where and error.where.startswith("--") else f"--{error.where}"
        raise UsageError(error.problem, where=where, mend=error.mend) from None


def _timeout(text: str | None, *, is_waiting: bool) -> timedelta | None:
    if text is None:
        return None
    if not is_waiting:
        raise UsageError("--timeout says how long to wait, and --wait is not there", mend="add --wait")
    return span_of(text, "--timeout")
