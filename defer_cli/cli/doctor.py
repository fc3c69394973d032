"""`defer doctor`: looks at everything defer stands on, changes nothing, says how to mend what is not right."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Annotated

import typer

from defer_cli.cli.check import counted
from defer_cli.cli.checks.findings import Finding, Level, standing_alone
from defer_cli.cli.failures import FAILED, OK
from defer_cli.cli.options import Data, Directory, Json, Project
from defer_cli.cli.output import say, show_json, styled, width_of
from defer_cli.domain.visible import visible

if TYPE_CHECKING:
    from concurrent.futures import Future

    from defer_cli.cli.checks.project import Subject
    from defer_cli.discovery.discover import Discovery

Whole = Annotated[bool, typer.Option("--check", help="Look for damage in the whole database, however long it takes.")]
Alert = Annotated[bool, typer.Option("--alert", help="Send a test message to Slack and the webhook, and nothing else.")]
Port = Annotated[str | None, typer.Option("--port", metavar="N", help="Is this one free? Default: the setting.")]
_COLOURS = {Level.OK: "green", Level.WARNING: "yellow", Level.PROBLEM: "red"}
_LEVEL_WIDTH, _CHECK_WIDTH = 7, 13


def doctor(
    *,
    project: Project = None,
    directory: Directory = None,
    data: Data = None,
    port: Port = None,
    whole: Whole = False,
    alert: Alert = False,
    as_json: Json = False,
) -> int:
    """Look at Python, SQLite, settings, disk, runner, database, queue and clock; exit 1 when there is a problem."""
    from defer_cli.cli.checks.project import discovered, find_subject

    subject = find_subject(project, directory, data, port=port)
    shown: list[Finding] = []
    with ThreadPoolExecutor(max_workers=1) as thread:  # the files are inspected while all else is looked at
        found = thread.submit(lambda: None if alert else discovered(subject))
        for finding in _trial(subject) if alert else _findings(subject, found, is_whole=whole):
            shown.append(finding)
            if not as_json:
                _show(finding)
    counts = {level: sum(finding.level is level for finding in shown) for level in Level}
    if as_json:
        show_json(
            {
                "checks": [
                    {"check": one.check, "level": one.level, "message": one.words, "mend": one.mend} for one in shown
                ],
                "problems": counts[Level.PROBLEM],
                "warnings": counts[Level.WARNING],
            }
        )
    else:
        say(_summary(counts[Level.PROBLEM], counts[Level.WARNING]))
    return FAILED if counts[Level.PROBLEM] else OK


def _trial(subject: Subject) -> Iterator[Finding]:
    from defer_cli.cli.checks.alerts import check_alerts, send_test

    settled = standing_alone("alerts", lambda: check_alerts(subject, None))
    yield from settled
    if all(finding.level is not Level.PROBLEM for finding in settled):
        yield from standing_alone("alert", lambda: send_test(subject))


def _findings(subject: Subject, found: Future[Discovery | None], *, is_whole: bool) -> Iterator[Finding]:
    from defer_cli.cli.checks import folder, machine, project
    from defer_cli.cli.checks.alerts import check_alerts
    from defer_cli.cli.checks.retention import check_retention
    from defer_cli.cli.checks.store import StoreChecks

    yield from standing_alone("versions", machine.check_versions)
    yield from standing_alone("limits", lambda: machine.check_limits(subject.settings))
    yield from standing_alone("port", lambda: machine.check_port(subject.settings))
    yield from standing_alone("project", lambda: project.check_project(subject))
    yield from standing_alone("settings", lambda: project.check_settings(subject))
    data = subject.data
    if data is not None:
        store = StoreChecks(data, is_whole=is_whole)
        yield from standing_alone("data folder", lambda: folder.check_folder(data, subject.root))
        yield from standing_alone("disk", lambda: folder.check_disk(data))
        yield from standing_alone("runner", store.check_runner)
        yield from standing_alone("database", store.check_database)
        yield from standing_alone("inbox", lambda: folder.check_inbox(data, has_runner=store.has_runner))
        yield from standing_alone("clock", store.check_clock)
        yield from standing_alone("queue", lambda: store.check_queue(_names(found)))
        yield from standing_alone(
            "retention", lambda: check_retention(subject, store.health, has_runner=store.has_runner)
        )
        yield from standing_alone("alerts", lambda: check_alerts(subject, store.undelivered))
    else:
        yield from standing_alone("retention", lambda: check_retention(subject, None, has_runner=False))
        yield from standing_alone("alerts", lambda: check_alerts(subject, None))
    yield from standing_alone("functions", lambda: _of_the_files(subject, found))


def _names(found: Future[Discovery | None]) -> set[str] | None:
    """Return the names of the functions; a broken file may hold any."""
    discovery = found.result()
    if discovery is None or discovery.has_breach:
        return None
    return {spec.name for spec in discovery.functions}


def _of_the_files(subject: Subject, found: Future[Discovery | None]) -> Iterable[Finding]:
    from defer_cli.cli.checks.findings import refused
    from defer_cli.cli.checks.project import check_functions

    for name, error in subject.errors:
        if name == "functions":
            yield refused("functions", error)
    discovery = found.result()
    if discovery is not None:
        yield from check_functions(subject, discovery)


def _show(finding: Finding) -> None:
    level = styled(f"{finding.level:<{_LEVEL_WIDTH}}", _COLOURS[finding.level], sys.stdout)
    lead = f"  {finding.check:<{_CHECK_WIDTH}}"
    indent = " " * (_LEVEL_WIDTH + len(lead))
    first, *others = _folded(visible(finding.words), len(indent))
    print(f"{level}{lead}{first}")
    for line in others:
        print(f"{indent}{line}")
    if finding.mend:
        first, *others = _folded(visible(finding.mend), len(indent) + 6)
        print(f"{indent}mend: {first}")
        for line in others:
            print(f"{indent}      {line}")
    sys.stdout.flush()


def _folded(text: str, indent: int) -> Sequence[str]:
    """Return the lines of a text in what is left of the terminal; a path is never broken, so it can be copied."""
    width = width_of(sys.stdout)
    if width is None:
        return [text]
    room = max(width - indent, 20)
    return textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False) or [""]


def _summary(problems: int, warnings: int) -> str:
    words = counted(problems, "problem") if problems else "no problems"
    return f"{words}, {counted(warnings, 'warning')}" if warnings else words
