"""Whose files they are: what defer creates belongs to the owner of the folder it lies in, also when root made it."""

from __future__ import annotations

import os


def give_to_owner(target: str | int, folder: str) -> None:
    """Give a new file, by path or descriptor, to the owner of ``folder``; only root can, and only root needs to."""
    if os.geteuid() != 0:
        return
    owner = os.stat(folder)
    if owner.st_uid != 0:
        os.chown(target, owner.st_uid, owner.st_gid)


def make_folder(path: str, *, mode: int = 0o777) -> bool:
    """Make a folder and those above it, on disk as well; return whether it was made just now."""
    above = os.path.dirname(path)
    try:
        os.mkdir(path, mode)
    except FileExistsError:
        return False
    except FileNotFoundError:
        make_folder(above)
        return make_folder(path, mode=mode)
    give_to_owner(path, above)
    try:
        sync_folder(above)
    except PermissionError:  # who may write into a folder need not be allowed to read it
        os.sync()
    return True


def sync_folder(path: str) -> None:
    """Put the names in a folder on disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
