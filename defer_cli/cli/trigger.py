"""`defer trigger`: enqueues one execution by hand, and waits for its end when asked."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from defer_cli.cli.failures import INVALID, OK, NotFound, UsageError, show_problems
from defer_cli.cli.options import Data, Directory, Project
from defer_cli.cli.output import say
from defer_cli.domain.errors import ArgumentError, CallRefused, SettingError

if TYPE_CHECKING:
    from defer_cli.domain.call_options import CallOptions
    from defer_cli.domain.enqueue import Enqueue
    from defer_cli.domain.function import FunctionSpec

Name = Annotated[str, typer.Argument(metavar="NAME", help="The function or cron.")]
Args = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[ARG]...", help="Its arguments as JSON; a bare word is text. Put -- before a negative number."
    ),
]
Delay = Annotated[str | None, typer.Option("--delay", metavar="SPAN", help="Start no sooner: 30s, 5min, 1h30m.")]
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
    key: Key = None,
    metadata: Metadata = None,
    wait: WaitFlag = False,
    timeout: Timeout = None,
) -> int:
    """Enqueue one execution of a function or cron and print its id."""
    options = _call_options(delay, key, metadata or [])
    limit = _timeout(timeout, is_waiting=wait)
    values = [_value(word) for word in args or []]

    from defer_cli.cli.place import find_place
    from defer_cli.discovery.discover import discover

    place = find_place(project, directory, data)
    found = discover(place.project, place.folder)
    functions = {spec.name: spec for spec in found.functions}
    if name not in functions and found.has_breach:
        show_problems(found.problems)
        return INVALID
    spec = find_function(name, functions)
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

    now_us = time.time_ns() // 1_000
    delay = options.delay
    return Enqueue(
        id=keyed_id(spec.name, options.key) if options.key else random_id(),
        function=spec.name,
        arguments=fit_arguments(spec, values),
        called_us=now_us,
        scheduled_us=now_us + delay // timedelta(microseconds=1) if isinstance(delay, timedelta) else None,
        metadata=dict(options.metadata) or None,
        key=options.key,
    )


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


def _call_options(delay: str | None, key: str | None, metadata: Sequence[str]) -> CallOptions:
    from defer_cli.domain.call_options import NO_OPTIONS

    pairs: dict[str, str] = {}
    for pair in metadata:
        name, equals, value = pair.partition("=")
        if not equals:
            raise UsageError(f"{pair!r} is not k=v", where="--metadata", mend="write --metadata user=12")
        pairs[name] = value
    try:
        return NO_OPTIONS.merged(
            delay=None if delay is None else span_of(delay, "--delay"), metadata=pairs or None, key=key
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


def span_of(text: str, flag: str) -> timedelta:
    """Return a span given on the command line; a bare number is seconds."""
    from defer_cli.domain.duration import parse_duration

    try:
        return parse_duration(float(text), where=flag)
    except ValueError:
        return parse_duration(text, where=flag)
