"""The data folder: whose it is, who may read it, what it lies on, what waits in its inbox."""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path

from defer_cli.cli.checks.findings import Finding, ok, problem, warning
from defer_cli.cli.checks.machine import MEGABYTE, free_bytes
from defer_cli.cli.output import cut
from defer_cli.domain.size import size_in_words
from defer_cli.domain.visible import visible
from defer_cli.link.project import DataFolder

_NO_ROOM, _LITTLE_ROOM = 32 * MEGABYTE, 500 * MEGABYTE
_REFUSED_SHOWN = 5
_LONGEST_REASON = 200


def check_folder(data: DataFolder, root: str | None) -> Iterator[Finding]:
    """Tell where it is, who owns it, who may read it."""
    if not os.path.lexists(data.path):
        above = _first_there(data.path)
        if os.access(above, os.W_OK | os.X_OK):
            yield ok("data folder", f"{data.path}, made when it is needed")
        else:
            yield problem("data folder", f"{data.path} cannot be made", f"make {above} writable, or name one: --data")
        return
    status = os.stat(data.path)
    if not stat.S_ISDIR(status.st_mode):
        yield problem("data folder", f"{data.path} is no folder", "move it away, or name another one: --data")
        return
    owner, me = status.st_uid, os.geteuid()
    if me not in (owner, 0):
        yield problem(
            "data folder",
            f"{data.path} belongs to {_user(owner)}, and this is {_user(me)}",
            f"run defer as {_user(owner)}, or give it the folder: chown -R {_user(me)} {data.path}",
        )
    elif not os.access(data.path, os.R_OK | os.W_OK | os.X_OK):
        yield problem("data folder", f"{data.path} cannot be written", f"chmod 700 {data.path}")
    else:
        yield ok("data folder", f"{data.path}, of {_user(owner)}")
    yield from _closed(data)
    yield from _too_open(data)
    yield from _replaced(data, root)


def check_disk(data: DataFolder) -> Iterator[Finding]:
    """Tell what it lies on, and how much room is left."""
    from defer_cli.store.sqlite.connection import file_system_of, is_network_file_system

    place = _first_there(data.path)
    kind = file_system_of(Path(place).resolve(), Path("/proc/mounts")) or "an unknown file system"
    room = free_bytes(place)
    if is_network_file_system(kind):
        yield problem(
            "disk",
            f"{kind}, a network file system: its locks and syncs cannot be trusted",
            "put the data folder on a local disk: --data",
        )
    elif room < _NO_ROOM:
        yield problem("disk", f"{kind}, {size_in_words(room)} free: new calls will be refused", "free disk space")
    elif room < _LITTLE_ROOM:
        yield warning(
            "disk", f"{kind}, only {size_in_words(room)} free", "free disk space, or `defer prune` what is old"
        )
    else:
        yield ok("disk", f"{kind}, {size_in_words(room)} free")


def check_inbox(data: DataFolder, *, has_runner: bool) -> Iterator[Finding]:
    """Tell what waits there, and what was refused and why."""
    from defer_cli.cli.check import counted
    from defer_cli.link.inbox import list_entries, list_refused, reason_of

    waiting = list_entries(data)
    refused = list_refused(data)
    if not waiting:
        yield ok("inbox", "empty")
    elif has_runner:
        yield ok("inbox", f"{counted(len(waiting), 'file')} of calls, on the way to the runner")
    else:
        yield ok("inbox", f"{counted(len(waiting), 'file')} of calls, for the next runner or command")
    for name in refused[:_REFUSED_SHOWN]:
        path = os.path.join(data.refused, name)
        yield warning(
            "refused calls",
            cut(visible(reason_of(data, name)), _LONGEST_REASON),
            f"move it back into the inbox once that is mended, or delete it: {path}",
        )
    if len(refused) > _REFUSED_SHOWN:
        yield warning("refused calls", f"{len(refused) - _REFUSED_SHOWN:,} more files", f"look into {data.refused}")


def _closed(data: DataFolder) -> Iterator[Finding]:
    for path in (data.database, data.socket, data.lock):
        if os.path.exists(path) and not os.access(path, os.R_OK | os.W_OK):
            words = f"{path}, of {_user(os.stat(path).st_uid)}, cannot be read and written by {_user(os.geteuid())}"
            yield problem("permissions", words, f"run defer as its owner, or chmod u+rw {path}")


def _too_open(data: DataFolder) -> Iterator[Finding]:
    """Others may neither read what calls carry, nor send any."""
    for path, wanted in ((data.path, 0o700), (data.database, 0o600), (data.socket, 0o600), (data.lock, 0o600)):
        try:
            mode = stat.S_IMODE(os.stat(path).st_mode)
        except OSError:  # not there, or told above
            continue
        if mode & 0o077:
            yield warning("permissions", f"{path} is open to other users ({mode:04o})", f"chmod {wanted:o} {path}")


def _replaced(data: DataFolder, root: str | None) -> Iterator[Finding]:
    from defer_cli.cli.place import why_a_deploy_replaces

    why = why_a_deploy_replaces(data.path, project=root or os.path.dirname(data.path))
    if why is not None:
        yield warning(
            "deploys",
            f"the next one may take the data folder away: {why}",
            "name one that stays: --data, DEFER_DATA, or `data` in [tool.defer]",
        )


def _first_there(path: str) -> str:
    while not os.path.isdir(path):
        above = os.path.dirname(path)
        if above == path:
            break
        path = above
    return path


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
