"""Where a project is: its root, its folder of functions, its data folder; one rule for runner, library and commands."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from msgspec import Struct

from defer_cli.domain.errors import SettingError, StoreError
from defer_cli.link.ownership import give_to_owner, make_folder

T = TypeVar("T")
_POINTER = "elsewhere"
_MEND = "put the function into the project's src/defer folder, or set DEFER_DATA to the runner's data folder"


class DataFolder(Struct, frozen=True):
    """The folder that defer makes for a project: database, socket, lock and inbox."""

    path: str

    @property
    def socket(self) -> str:
        """Where the runner listens."""
        return os.path.join(self.path, "runner.sock")

    @property
    def lock(self) -> str:
        """What the runner holds for life."""
        return os.path.join(self.path, "runner.lock")

    @property
    def database(self) -> str:
        """The one database; only the owner of the lock opens it."""
        return os.path.join(self.path, "defer.db")

    @property
    def inbox(self) -> str:
        """Calls made while no runner was alive."""
        return os.path.join(self.path, "inbox")

    @property
    def refused(self) -> str:
        """What a runner could not take out of the inbox."""
        return os.path.join(self.inbox, "refused")

    def create(self) -> None:
        """Make the folder when it is not there: for its owner only, ignored by git."""
        if not make_folder(self.path, mode=0o700):
            return
        ignore = os.path.join(self.path, ".gitignore")
        with open(ignore, "w", encoding="utf-8") as file:
            file.write("*\n")
        give_to_owner(ignore, self.path)

    def require(self) -> None:
        """Make the folder when it is not there; raise ``StoreError`` where that is not allowed."""
        try:
            self.create()
        except OSError as error:
            raise StoreError(
                f"the data folder cannot be made: {error.strerror}",
                where=self.path,
                mend="name another one with --data",
            ) from None


def find_root(start: str) -> str | None:
    """Return the project that ``start``, a file or a folder, lies in: the nearest ancestor with functions."""
    place = os.path.abspath(start)
    while True:
        if _table_in(place) is not None or os.path.isdir(os.path.join(place, "src", "defer")):
            return place
        above = os.path.dirname(place)
        if _has_python(os.path.join(place, "defer")):
            return above if os.path.basename(place) == "src" else place
        if above == place:
            return None
        place = above


def project_root(*, given: str | None = None) -> str:
    """Return the root a command works on: ``--project``, else that of the working directory."""
    if given is not None:
        root = os.path.abspath(given)
        if not os.path.isdir(root):
            raise SettingError(f"there is no folder {given}", where="--project", mend="name the folder of the project")
        return root
    found = find_root(os.getcwd())
    if found is None:
        raise SettingError(
            "there is no defer project here", where=os.getcwd(), mend="run `defer init`, or name one with --project"
        )
    return found


def functions_folder(root: str, *, given: str | None = None) -> str:
    """Return the folder of functions: ``--directory``, the setting, ``src/defer``, ``defer``; it may not exist."""
    chosen = given or setting(root, "directory")
    if chosen:
        return os.path.normpath(os.path.join(root, chosen))
    inner = os.path.join(root, "src", "defer")
    return inner if os.path.isdir(inner) else os.path.join(root, "defer")


def data_folder(root: str, *, given: str | None = None) -> DataFolder:
    """Return the data folder of a project: ``--data`` (from the working directory), the setting, ``.defer``."""
    if given:
        return DataFolder(os.path.abspath(given))
    chosen = setting(root, "data")
    if chosen:
        return DataFolder(os.path.normpath(os.path.join(root, os.path.expanduser(chosen))))
    default = os.path.join(root, ".defer")
    return DataFolder(_pointed_at(default) or default)


def root_of_file(file: str) -> str:
    """Return the root that a function in ``file`` belongs to; raise ``SettingError`` outside a project."""
    folder = os.path.dirname(os.path.abspath(file))
    root = find_root(folder)
    if root is None and os.path.isabs(os.environ.get("DEFER_DATA", "")):
        return folder
    if root is None:
        raise SettingError("this file is in no defer project", where=file, mend=_MEND)
    return root


def point_to(root: str, folder: DataFolder) -> None:
    """Leave a pointer in the default data folder when the runner's is another one; clear it when it is not."""
    default = DataFolder(os.path.join(root, ".defer"))
    pointer = os.path.join(default.path, _POINTER)
    if os.path.realpath(folder.path) == os.path.realpath(default.path):
        if os.path.exists(pointer):
            os.unlink(pointer)
        return
    default.create()
    fresh = f"{pointer}.{os.getpid()}"
    with open(fresh, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(folder.path)
    give_to_owner(fresh, default.path)
    os.replace(fresh, pointer)


def setting(root: str, name: str) -> str | None:
    """Return a setting as text: ``DEFER_NAME`` in the environment, in ``.env``, else ``name`` of ``[tool.defer]``."""
    variable = f"DEFER_{name.upper()}"
    value = os.environ.get(variable) or dotenv(root, variable).get(variable) or (_table_in(root) or {}).get(name)
    if value is not None and not isinstance(value, str):
        raise SettingError(
            f"{name} is {value!r}", where=f"{os.path.join(root, 'pyproject.toml')}: [tool.defer]", mend="use a text"
        )
    return value or None


def tool_table(root: str) -> Mapping[str, Any]:
    """Return ``[tool.defer]`` of the project; raise ``SettingError`` when the file cannot be read."""
    return _table_in(root) or {}


def dotenv(root: str, mention: str = "") -> Mapping[str, str | None]:
    """Return the variables of the project's ``.env``; nothing when the file does not mention ``mention``."""
    return _read(os.path.join(root, ".env"), lambda path, text: _parse_dotenv(path) if mention in text else {}) or {}


def _parse_dotenv(path: str) -> Mapping[str, str | None]:
    from dotenv import dotenv_values

    return dotenv_values(path)


def _table_in(folder: str) -> Mapping[str, Any] | None:
    return _read(os.path.join(folder, "pyproject.toml"), _parse_table)


def _parse_table(path: str, text: str) -> Mapping[str, Any] | None:
    if "defer" not in text:  # reading TOML is slow, and most files say nothing of defer
        return None
    import tomllib

    try:
        table = tomllib.loads(text).get("tool", {}).get("defer")
    except tomllib.TOMLDecodeError as error:
        raise SettingError(f"it is not valid TOML: {error}", where=path, mend="mend the file") from None
    if table is not None and not isinstance(table, dict):
        raise SettingError(f"tool.defer is {table!r}", where=path, mend="write a table: [tool.defer]")
    return table


def _read(path: str, parse: Callable[[str, str], T]) -> T | None:
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None
    except UnicodeDecodeError:
        raise SettingError("it is not UTF-8", where=path, mend="save it as UTF-8") from None
    return parse(path, text)


def _has_python(folder: str) -> bool:
    for _, folders, files in os.walk(folder):
        if any(name.endswith(".py") for name in files):
            return True
        folders[:] = [name for name in folders if not name.startswith((".", "__"))]
    return False


def _pointed_at(default: str) -> str | None:
    try:
        with open(os.path.join(default, _POINTER), encoding="utf-8", errors="surrogateescape") as file:
            path = file.read().strip()
    except OSError:
        return None
    return path if os.path.isabs(path) and os.path.isdir(path) else None
