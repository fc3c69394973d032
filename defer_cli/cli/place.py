"""What a command works on: the project, its folders, its settings."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import gettempdir

from msgspec import Struct

from defer_cli.domain.alert_settings import AlertSettings, resolve_alert_settings
from defer_cli.domain.errors import SettingError
from defer_cli.domain.retention import RetentionSettings, resolve_retention
from defer_cli.domain.settings import Settings, masked_names, resolve_settings
from defer_cli.link.project import (
    DataFolder,
    data_folder,
    dotenv,
    find_root,
    functions_folder,
    project_root,
    setting,
    tool_table,
)


class Place(Struct, frozen=True, kw_only=True):
    """A project as the flags, the environment and its files describe it."""

    project: Path
    folder: Path
    data: DataFolder
    settings: Settings
    alerts: AlertSettings
    retention: RetentionSettings


def find_place(project: str | None, directory: str | None, data: str | None, **flags: object) -> Place:
    """Return what the command works on; raise ``SettingError`` when there is no project or a setting is wrong."""
    root = project_root(given=project)
    written, table = dotenv(root), tool_table(root)
    settings = resolve_settings(
        flags={**flags, "directory": directory, "data": data},
        environ=os.environ,
        dotenv=written,
        pyproject=table,
        cores=len(os.sched_getaffinity(0)),
    )
    folder = functions_folder(root, given=directory)
    if not os.path.isdir(folder):
        raise SettingError("there is no folder of functions", where=folder, mend="run `defer init`, or make it")
    return Place(
        project=Path(root),
        folder=Path(folder),
        data=data_folder(root, given=data),
        settings=settings,
        alerts=resolve_alert_settings(environ=os.environ, dotenv=written, pyproject=table),
        retention=resolve_retention(environ=os.environ, dotenv=written, pyproject=table),
    )


class DataPlace(Struct, frozen=True, kw_only=True):
    """What a command works on that looks only at what is stored: it needs no functions, and with --data no project."""

    project: Path | None
    data: DataFolder

    def function_files(self) -> dict[str, Path]:
        """Return the files of functions by the names they stand for; nothing is imported."""
        if self.project is None:
            return {}
        from defer_cli.discovery.scan import scan

        return {file.stem: file for file in scan(self.project, Path(functions_folder(str(self.project)))).files}

    def masked_names(self) -> tuple[str, ...]:
        """Return the names that the project calls secret, beside those that look so to everybody."""
        given = None if self.project is None else setting(str(self.project), "mask")
        return masked_names(given or "", "mask")

    def has_store(self) -> bool:
        """Return whether anything was ever stored, or waits in the inbox to be."""
        from defer_cli.link.inbox import list_entries

        return os.path.exists(self.data.database) or bool(list_entries(self.data))


def find_data(project: str | None, data: str | None) -> DataPlace:
    """Return whose executions a command looks at; raise ``SettingError`` when nothing says so."""
    given = data or os.environ.get("DEFER_DATA")
    root = find_root(os.getcwd()) if given and project is None else project_root(given=project)
    if root is None:
        return DataPlace(project=None, data=DataFolder(os.path.abspath(str(given))))
    return DataPlace(project=Path(root), data=data_folder(root, given=data))


def why_a_deploy_replaces(data: str, *, project: str) -> str | None:
    """Return why the next deploy would take a data folder away, None when it looks safe.

    Deploys change the link ``current``, fill ``releases/<n>`` anew, or reinstall a package.
    """
    written = Path(os.path.abspath(data))
    for part in (written, *written.parents):
        if part.name == "current" and part.is_symlink():
            return f"{part} is a link, which a deploy points at the next release"
    resolved = Path(os.path.realpath(data))
    if "releases" in resolved.parts[:-1]:
        return "it lies in a folder of releases"
    if {"site-packages", "dist-packages"} & set(resolved.parts):
        return "it lies where packages are installed"
    temporary = Path(os.path.realpath(gettempdir()))
    if resolved.is_relative_to(temporary) and not Path(os.path.realpath(project)).is_relative_to(temporary):
        return "it lies where temporary files are cleared"
    return None
