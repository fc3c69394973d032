"""Which way a call travels: a worker's pipe, else the data folder of the project its function's file lies in."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod

from defer_cli.client.connection import Connection, dial
from defer_cli.client.routes import Route, worker_route
from defer_cli.definitions import definitions
from defer_cli.domain.errors import DeferError, SettingError
from defer_cli.link.project import DataFolder, data_folder, project_root, root_of_file
from defer_cli.link.sockets import is_answered


class Lane(ABC):
    """Where the calls of a function go; calls of one lane share batches."""

    @property
    @abstractmethod
    def is_open(self) -> bool:
        """Whether ``open`` answers at once."""

    @abstractmethod
    def open(self) -> Route | None:
        """Return the way to a living runner, None when there is none; only the sender asks.

        Raises ``DeferError`` or ``OSError``.
        """

    @abstractmethod
    def folder(self) -> DataFolder | None:
        """Return the data folder whose inbox takes calls while no runner lives; None: it has no inbox."""


class _WorkerLane(Lane):
    def __init__(self, route: Route) -> None:
        self.route = route

    @property
    def is_open(self) -> bool:
        return True

    def open(self) -> Route:
        return self.route

    def folder(self) -> None:
        return None


class _FolderLane(Lane):
    """Looks its folder up anew whenever it is not connected: a runner may have left a pointer meanwhile."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._connection: Connection | None = None

    @property
    def is_open(self) -> bool:
        return self._connection is not None and not self._connection.is_lost

    def open(self) -> Connection | None:
        if self._connection is None or self._connection.is_lost:
            self._connection = _connected(self.folder())
        return self._connection

    def folder(self) -> DataFolder:
        return data_folder(self._root)


_lanes_by_file: dict[str, Lane] = {}
_lanes_by_root: dict[str, Lane] = {}
_connections: dict[str, Connection] = {}
_worker_lane: _WorkerLane | None = None


def lane_for(file: str) -> Lane:
    """Return the way of calls of a function in ``file``; raise ``SettingError`` when it lies in no project."""
    route = worker_route()
    if route is not None:
        return _lane_of_worker(route)
    lane = _lanes_by_file.get(file)
    if lane is None:
        root = root_of_file(file)
        lane = _lanes_by_file[file] = _lanes_by_root.setdefault(root, _FolderLane(root))
    return lane


def lane_for_ids() -> Lane:
    """Return the way of requests that name an execution by its id alone.

    It is that of the functions this process has defined when all lie in one project, else that of the working
    directory. Raises ``SettingError`` when there is no project.
    """
    route = worker_route()
    if route is not None:
        return _lane_of_worker(route)
    lanes = {lane_for(definition.file) for definition in definitions()}
    if len(lanes) == 1:
        return lanes.pop()
    root = os.getcwd() if os.path.isabs(os.environ.get("DEFER_DATA", "")) else project_root()
    return _lanes_by_root.setdefault(root, _FolderLane(root))


def defer_enabled() -> bool:
    """Return whether calls made here find a living runner: in a background function, or in a project that has one."""
    if worker_route() is not None:
        return True
    try:
        root = os.getcwd() if os.path.isabs(os.environ.get("DEFER_DATA", "")) else project_root()
        return is_answered(data_folder(root).socket)
    except (SettingError, OSError):
        return False


def forget_lanes() -> None:
    """Begin anew in a process that was just forked: connections belong to the process that made them."""
    for connection in _connections.values():
        connection.abandon()
    _connections.clear()
    _lanes_by_root.clear()
    _lanes_by_file.clear()


def _lane_of_worker(route: Route) -> Lane:
    global _worker_lane
    if _worker_lane is None or _worker_lane.route is not route:
        _worker_lane = _WorkerLane(route)
    return _worker_lane


def _connected(folder: DataFolder) -> Connection | None:
    connection = _connections.get(folder.path)
    if connection is None or connection.is_lost:
        end = dial(folder)
        if end is None:
            return None
        try:
            connection = _connections[folder.path] = Connection(end)
        except BaseException as error:
            end.close()
            if isinstance(error, RuntimeError):  # the interpreter closes: no new thread
                raise DeferError(f"the runner cannot be reached any more: {error}") from None
            raise
    return connection
