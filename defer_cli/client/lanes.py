"""Which way a call travels: a worker's pipe, else HTTP when a token is set, else the data folder of the project."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from time import time_ns
from typing import TYPE_CHECKING

from defer_cli.client.connection import Connection, dial
from defer_cli.client.http_endpoint import Endpoint, checked_endpoint, endpoint_as_set, has_token
from defer_cli.client.routes import Route, worker_route
from defer_cli.definitions import definitions
from defer_cli.domain.errors import DeferError, SettingError
from defer_cli.link.project import DataFolder, data_folder, find_root, root_of_file
from defer_cli.link.sockets import is_answered

if TYPE_CHECKING:
    from defer_cli.client.http_route import HttpRoute
    from defer_cli.client.http_session import Session


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

    def now_us(self) -> int:
        """Return the moment that spans of a call count from, in microseconds since 1970."""
        return time_ns() // 1000


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


class _HttpLane(Lane):
    """Leads to an API; whether anybody is there shows when something is sent."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._route: HttpRoute | None = None
        self._session: Session | None = None

    @property
    def is_open(self) -> bool:
        return self._route is not None and not self._route.is_lost

    def open(self) -> Route:
        if self._route is None or self._route.is_lost:
            from defer_cli.client.http_route import HttpRoute
            from defer_cli.client.http_session import Session

            self._session = self._session or Session(self._endpoint)
            self._route = HttpRoute(self._session)
        return self._route

    def folder(self) -> None:
        return None

    def abandon(self) -> None:
        """Leave the connections to the process that made them."""
        self._route = self._session = None


_lanes_by_file: dict[str, Lane] = {}
_lanes_by_root: dict[str, Lane] = {}
_connections: dict[str, Connection] = {}
_http_lanes: dict[tuple[str, str], _HttpLane] = {}
_worker_lane: _WorkerLane | None = None
_lanes_of_test: Callable[[str | None], Lane] | None = None
_defined: tuple[int, tuple[Lane, ...]] = (0, ())
"""How many definitions there were when their lanes were last looked up, and those."""
_here: tuple[str, str] = ("", "")
"""The working directory when its root was last found, and that: finding it reads files."""


def lead_to_test(lanes: Callable[[str | None], Lane] | None) -> None:
    """Send all that this process calls and asks over ``lanes`` until told None; they get the file of a call's function.

    Requests that are no calls get None.
    """
    global _lanes_of_test
    _lanes_of_test = lanes


def lane_for(file: str) -> Lane:
    """Return the way of calls of a function in ``file``; raise ``SettingError`` when it lies in no project."""
    if _lanes_of_test is not None:
        return _lanes_of_test(file)
    route = worker_route()
    if route is not None:
        return _lane_of_worker(route)
    if has_token():
        return _http_lane()
    lane = _lanes_by_file.get(file)
    if lane is None:
        lane = _lanes_by_file[file] = _lane_of(root_of_file(file))
    return lane


def lanes_for_ids() -> Sequence[Lane]:
    """Return the ways to the projects that an execution known by its id alone may belong to, never none.

    They are those of the functions this process has defined, else that of the working directory; an absolute
    ``DEFER_DATA`` stands for both. Raises ``SettingError`` when there is no project.
    """
    if _lanes_of_test is not None:
        return (_lanes_of_test(None),)
    route = worker_route()
    if route is not None:
        return (_lane_of_worker(route),)
    if has_token():
        return (_http_lane(),)
    return _lanes_of_definitions() or (_lane_of(_root_here()),)


def lane_for_lists() -> Lane:
    """Return the way of requests that name no execution; raise ``SettingError`` where several projects may be meant."""
    lanes = lanes_for_ids()
    if len(lanes) == 1:
        return lanes[0]
    with suppress(SettingError):
        here = _lane_of(_root_here())
        if here in lanes:
            return here
    folders = ", ".join(str(folder.path) for lane in lanes if (folder := lane.folder()))
    raise SettingError(
        f"this process has functions of several projects: {folders}",
        mend="run it in the folder of one, or set DEFER_DATA to the data folder that is meant",
    )


def leads_where(one: Lane, other: Lane) -> bool:
    """Return whether both lanes lead to the same data folder."""
    try:
        return one is other or ((folder := one.folder()) is not None and folder == other.folder())
    except (DeferError, OSError):  # one of them leads nowhere
        return False


def defer_enabled() -> bool:
    """Return whether calls made here find a living runner: in a background function, or in a project that has one.

    With ``DEFER_TOKEN`` set it is taken for granted: nothing is sent to find out.
    """
    if _lanes_of_test is not None or worker_route() is not None or has_token():
        return True
    try:
        folders = [lane.folder() for lane in lanes_for_ids()]
        return all(folder is None or is_answered(folder.socket) for folder in folders)
    except (SettingError, OSError):
        return False


def forget_lanes() -> None:
    """Begin anew in a process that was just forked: connections belong to the process that made them."""
    global _defined, _here
    for connection in _connections.values():
        connection.abandon()
    _connections.clear()
    for lane in _http_lanes.values():
        lane.abandon()
    _http_lanes.clear()
    _lanes_by_root.clear()
    _lanes_by_file.clear()
    _defined = 0, ()
    _here = "", ""


def _lanes_of_definitions() -> tuple[Lane, ...]:
    """Return the lanes of what is defined in this process, one a data folder; files outside every project have none."""
    global _defined
    found = definitions()
    if _defined[0] != len(found):
        lanes: list[Lane] = []
        for file in {definition.file: None for definition in found}:
            with suppress(SettingError):
                lane = lane_for(file)
                if not any(leads_where(lane, other) for other in lanes):
                    lanes.append(lane)
        _defined = len(found), tuple(lanes)
    return _defined[1]


def _http_lane() -> Lane:
    """Return the way to the API that is set; raise ``SettingError`` when that is no address."""
    address, token = as_set = endpoint_as_set()
    lane = _http_lanes.get(as_set)
    if lane is None:
        lane = _http_lanes[as_set] = _HttpLane(checked_endpoint(address, token))
    return lane


def _lane_of(root: str) -> Lane:
    return _lanes_by_root.setdefault(root, _FolderLane(root))


def _root_here() -> str:
    """Return the root of the project this process runs in; any will do where an absolute ``DEFER_DATA`` decides."""
    global _here
    if os.path.isabs(os.environ.get("DEFER_DATA", "")):
        return os.sep
    try:
        here = os.getcwd()
    except OSError:  # it was removed
        here = os.sep
    if _here[0] != here and (root := find_root(here)) is not None:
        _here = here, root
    if _here[0] != here:
        raise SettingError(
            "this process has defined no function of a defer project, and its working directory is in none",
            where=here,
            mend="import one of its functions, run in its folder, or set DEFER_DATA to its data folder",
        )
    return _here[1]


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
