"""The project: where it is, which settings it has and from where, whether its functions keep the folder's rule."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from defer_cli.cli.checks.findings import Finding, ok, problem, refused, warning
from defer_cli.domain.alert_settings import AlertSettings, given_alert_settings, resolve_alert_settings
from defer_cli.domain.errors import DeferError
from defer_cli.domain.retention import RetentionSettings, given_retention, resolve_retention
from defer_cli.domain.settings import Settings, given_settings, resolve_settings
from defer_cli.link.project import (
    DataFolder,
    data_folder,
    dotenv,
    find_root,
    functions_folder,
    project_root,
    tool_table,
)

if TYPE_CHECKING:
    from defer_cli.discovery.discover import Discovery

_NO_PROJECT = "run `defer init`, or name one with --project"
_SHOWN = ("workers", "slots", "host", "port", "grace", "log_format", "log_level", "log_time")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What the doctor looks at, as far as it can be made out; ``errors`` says what could not."""

    root: str | None = None
    folder: str | None = None
    data: DataFolder | None = None
    settings: Settings = field(default_factory=Settings)
    given: Mapping[str, tuple[object, str]] = field(default_factory=dict)
    alerts: AlertSettings = field(default_factory=AlertSettings)
    retention: RetentionSettings = field(default_factory=RetentionSettings)
    has_token: bool = False
    errors: tuple[tuple[str, DeferError], ...] = ()


def find_subject(project: str | None, directory: str | None, data: str | None, **flags: object) -> Subject:
    """Return what the flags, the environment and the files describe; nothing in them is so wrong that it raises."""
    errors: list[tuple[str, DeferError]] = []
    root = None
    try:
        given_data = data or os.environ.get("DEFER_DATA")
        root = find_root(os.getcwd()) if given_data and project is None else project_root(given=project)
    except OSError as error:
        errors.append(("project", DeferError(f"the working directory is not to be had: {error.strerror}")))
    except DeferError as error:
        is_of_a_file = os.path.basename(error.where or "") == "pyproject.toml"
        root = os.path.dirname(error.where or "") if is_of_a_file else None  # it is a project, though a broken one
        errors.append(("settings" if is_of_a_file else "project", error))
    asked: dict[str, Any] = {
        "flags": {**flags, "directory": directory, "data": data},
        "environ": os.environ,
        "dotenv": {},
        "pyproject": {},
    }
    for name, read in (("dotenv", dotenv), ("pyproject", tool_table)):
        try:
            asked[name] = read(root) if root else {}
        except DeferError as error:
            _add_once(errors, error)
    settings = Settings(workers=_cores())
    try:
        settings = resolve_settings(**asked, cores=_cores())
    except DeferError as error:
        errors.append(("settings", error))
    written = {name: asked[name] for name in ("environ", "dotenv", "pyproject")}
    alerts = AlertSettings()
    try:
        alerts = resolve_alert_settings(**written)
    except DeferError as error:
        errors.append(("alerts", error))
    retention = RetentionSettings()
    try:
        retention = resolve_retention(**written)
    except DeferError as error:
        errors.append(("retention", error))
    return Subject(
        root=root,
        folder=_folder(root, directory, errors),
        data=_data(root, data, errors),
        settings=settings,
        given=given_settings(**asked)
        | {f"alerts.{name}": given for name, given in given_alert_settings(**written).items()}
        | {f"retention.{name}": given for name, given in given_retention(**written).items()},
        alerts=alerts,
        retention=retention,
        has_token=bool(settings.token or settings.token_file),
        errors=tuple(errors),
    )


def check_project(subject: Subject) -> Iterator[Finding]:
    """Tell where the project is."""
    for name, error in subject.errors:
        if name == "project":
            yield refused("project", error)
    if subject.root is not None:
        yield ok("project", subject.root)
    elif not any(name == "project" for name, _ in subject.errors):
        yield warning("project", f"none above {os.getcwd()}; only the data folder is looked at", _NO_PROJECT)


def check_settings(subject: Subject) -> Iterator[Finding]:
    """Tell which settings there are, and where each comes from."""
    for name, error in subject.errors:
        if name == "settings":
            yield refused("settings", error)
    wrong = {error.where for _, error in subject.errors}
    for value, source in subject.given.values():
        if source not in wrong:
            yield ok("setting", f"{source}: {value}")
    if subject.has_token:
        yield ok("setting", "a token, from the environment")
    defaults = [f"{name} {_shown(getattr(subject.settings, name))}" for name in _SHOWN if name not in subject.given]
    if defaults:
        yield ok("defaults", ", ".join(defaults))
    if subject.root is not None:
        yield from _env_file(os.path.join(subject.root, ".env"))


def check_functions(subject: Subject, found: Discovery) -> Iterator[Finding]:
    """Tell whether the functions keep the folder's rule."""
    from defer_cli.cli.check import counted

    breaches = [one for one in found.problems if not one.is_warning]
    crons = sum(spec.kind == "cron" for spec in found.functions)
    words = counted(len(found.functions), "function")
    words = f"{words}, {counted(crons, 'cron')} among them" if crons else words
    for one in found.problems:
        told = warning if one.is_warning else problem
        first = one.problem.splitlines()[0]
        mend = one.mend.splitlines()[0] if one.mend else "see `defer check`"
        yield told("functions", f"{one.where}: {one.code} {first}", mend)
    if not breaches and found.functions:
        yield ok("functions", f"{words} in {subject.folder}")
    elif not breaches:
        yield warning("functions", f"none in {subject.folder} yet", "run `defer init`, which writes the first")


def _env_file(path: str) -> Iterator[Finding]:
    if not os.path.exists(path):
        return
    if not os.access(path, os.R_OK):
        yield problem(".env", f"{path} cannot be read by this user", f"chmod u+r {path}, or mend its owner")
        return
    try:
        has_token = bool(dotenv(os.path.dirname(path), "DEFER_TOKEN").get("DEFER_TOKEN"))
    except DeferError:  # told among the settings
        return
    if has_token:
        yield warning(".env", "its DEFER_TOKEN does not count", "set DEFER_TOKEN in the real environment")
    else:
        yield ok(".env", f"{path}, for the functions; the real environment wins")


def _folder(root: str | None, directory: str | None, errors: list[tuple[str, DeferError]]) -> str | None:
    if root is None:
        return None
    try:
        folder = functions_folder(root, given=directory)
    except DeferError as error:
        _add_once(errors, error)
        folder = functions_folder(root, given=directory or os.path.join("src", "defer"))
    if os.path.isdir(folder):
        return folder
    missing = DeferError("there is no folder of functions", where=folder, mend="run `defer init`, or make it")
    errors.append(("functions", missing))
    return None


def _data(root: str | None, data: str | None, errors: list[tuple[str, DeferError]]) -> DataFolder | None:
    given = data or os.environ.get("DEFER_DATA")
    if root is None:
        return DataFolder(os.path.abspath(given)) if given else None
    try:
        return data_folder(root, given=data)
    except DeferError as error:
        _add_once(errors, error)
        return DataFolder(os.path.join(root, ".defer"))


def _add_once(errors: list[tuple[str, DeferError]], error: DeferError) -> None:
    if all(str(error) != str(other) for _, other in errors):
        errors.append(("settings", error))


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _shown(value: object) -> str:
    from datetime import timedelta

    from defer_cli.domain.duration import in_words

    if isinstance(value, timedelta):
        return in_words(value)
    return "off" if value is None else str(value)


def discovered(subject: Subject) -> Discovery | None:
    """Return what the files define, None where there are none to look at."""
    if subject.root is None or subject.folder is None:
        return None
    from defer_cli.discovery.discover import discover

    try:
        return discover(Path(subject.root), Path(subject.folder))
    except (UnicodeDecodeError, PermissionError):  # of the .env that functions get: told by itself
        return None
