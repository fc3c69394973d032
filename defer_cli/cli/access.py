"""How a command reaches the store: through the runner that lives, else as its owner for a moment."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING, Any, Self

from msgspec import Struct

from defer_cli.cli.failures import show_warning
from defer_cli.client.connection import dial
from defer_cli.client.routes import failure_error
from defer_cli.domain.enqueue import Enqueue, Refused, Stored
from defer_cli.domain.errors import CallRefused, DeferError, StoreError, StoreFull
from defer_cli.engine.events import Note
from defer_cli.link import lock
from defer_cli.link.frames import (
    PROTOCOL,
    Answer,
    Ask,
    Ended,
    Enqueued,
    Enqueues,
    Failure,
    FrameReader,
    FromRunner,
    Hello,
    Wait,
    encode_frame,
)

if TYPE_CHECKING:
    from defer_cli.domain.settle import Move
    from defer_cli.engine.events import Event
    from defer_cli.link.project import DataFolder
    from defer_cli.store.contract import Store

NO_RUNNER = "no runner is alive; it will run when one starts (`defer run`)"
ANSWER_SECONDS = 30.0
_PATIENCE_SECONDS = 5.0
_PAUSE_SECONDS = 0.1
_ENQUEUE, _WAIT, _ASK = 1, 2, 3


class Gone(DeferError):
    """The runner went away in the middle."""


class Line:
    """A conversation with a runner over its socket; one thread, one question at a time beside one wait."""

    def __init__(self, end: socket, *, patience_seconds: float = ANSWER_SECONDS) -> None:
        """Say hello; raises ``Gone``, or ``DeferError`` when the runner speaks another protocol."""
        self._end = end
        self._patience_seconds = patience_seconds
        self._reader = FrameReader(FromRunner)
        self._ended: Ended | None = None
        try:
            self._send(Hello(PROTOCOL, os.getpid()))
            self._receive(lambda frame: type(frame) is Hello)
        except BaseException:
            self._end.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end.close()

    def ask(self, question: str, **parameters: Any) -> Any:
        """Return the runner's answer as plain data."""
        self._send(Ask(_ASK, question, parameters))
        answer: Answer = self._receive(lambda frame: type(frame) is Answer)
        return answer.value

    def enqueue(self, call: Enqueue) -> Stored | Refused | None:
        """Store a call; None: stored as asked."""
        self._send(Enqueues(_ENQUEUE, [call]))
        enqueued: Enqueued = self._receive(lambda frame: type(frame) is Enqueued)
        return enqueued.results[0]

    def begin_wait(self, id: str) -> None:
        """Ask for word when an execution has ended; ``ended`` hears it."""
        self._send(Wait(_WAIT, id))

    def ended(self, *, timeout_seconds: float) -> Ended | None:
        """Return the end of the awaited execution, None when it has not come in time."""
        if self._ended is None:
            try:
                self._receive(lambda frame: type(frame) is Ended, timeout_seconds=timeout_seconds)
            except TimeoutError:
                return None
        return self._ended

    def _send(self, message: Struct) -> None:
        self._end.settimeout(ANSWER_SECONDS)
        try:
            self._end.sendall(encode_frame(message))
        except OSError as error:
            raise Gone(f"the runner went away: {error}") from None

    def _receive(self, is_wanted: Callable[[Any], bool], *, timeout_seconds: float | None = None) -> Any:
        """Return the next frame that is wanted; keep word of the awaited end that comes meanwhile."""
        deadline = time.monotonic() + (self._patience_seconds if timeout_seconds is None else timeout_seconds)
        while True:
            self._end.settimeout(max(deadline - time.monotonic(), 0.001))
            try:
                data = self._end.recv(1 << 16)
            except TimeoutError:
                raise
            except OSError as error:
                raise Gone(f"the runner went away: {error}") from None
            if not data:
                raise Gone("the runner went away", mend="see its log, then try again")
            wanted = None
            for frame in self._reader.feed(data):
                if type(frame) is Failure:
                    raise failure_error(frame)
                if type(frame) is Ended:
                    self._ended = frame
                if is_wanted(frame):
                    wanted = frame
            if wanted is not None:
                return wanted


def reach(data: DataFolder, *, patience_seconds: float = ANSWER_SECONDS) -> Line | None:
    """Return a conversation with the runner that owns ``data``, None when none is alive."""
    try:
        end = dial(data)
        return None if end is None else Line(end, patience_seconds=patience_seconds)
    except Gone:  # it stopped between the connection and its hello
        return None
    except TimeoutError:
        raise StoreError(
            "the runner does not answer", where=data.socket, mend="see its log; stop it when it hangs"
        ) from None
    except OSError as error:
        raise StoreError(f"the runner cannot be reached: {error}", where=data.socket, mend="see who owns it") from None


def ask(data: DataFolder, question: str, **parameters: Any) -> Any:
    """Return the answer to a question of ``reports``, from the runner, else from the store itself."""
    with asking(data) as put:
        return put(question, **parameters)


@contextmanager
def asking(data: DataFolder) -> Iterator[Callable[..., Any]]:
    """Yield what puts several questions to the same runner, or to the store that this command owns meanwhile."""
    with reached_or_owned(data) as line:
        if line is not None:
            yield line.ask
            return
        from defer_cli.reports import QUESTIONS
        from defer_cli.store.sqlite.reader import open_reader

        reader = open_reader(Path(data.database))
        if not reader.is_current:  # left by an older version: questions ask for what only the newest schema has
            reader.close()
            with _opened_store(data):
                pass
            reader = open_reader(Path(data.database))
        try:
            yield lambda question, **parameters: QUESTIONS[question](reader, **parameters)
        finally:
            reader.close()


def change(data: DataFolder, name: str, **parameters: Any) -> Any:
    """Make a change of ``changes``, through the runner, else in the store itself; return what came of it."""
    with changing(data) as make:
        return make(name, **parameters)


@contextmanager
def changing(data: DataFolder) -> Iterator[Callable[..., Any]]:
    """Yield what makes several changes through the same runner, or in the store that this command owns meanwhile."""
    with reached_or_owned(data) as line:
        if line is not None:
            yield line.ask
            return
        from defer_cli.changes import Changes

        with _opened_store(data) as store:

            def make(name: str, **parameters: Any) -> Any:
                with store.transaction():
                    return Changes(store).make(name, parameters)

            yield make


def enqueue(data: DataFolder, call: Enqueue) -> Stored | None:
    """Store a call; None: stored as asked. Raises ``CallRefused``."""
    with reached_or_owned(data) as line:
        if line is None:
            return _insert(data, call)
        result = line.enqueue(call)
    if isinstance(result, Refused):
        raise CallRefused(result.problem, mend=result.mend)
    return result


def _insert(data: DataFolder, call: Enqueue) -> Stored:
    from defer_cli.intake import insert_one

    with _opened_store(data) as store:
        return insert_one(store, call)


@contextmanager
def reached_or_owned(data: DataFolder) -> Iterator[Line | None]:
    """Yield a conversation with the runner, or None while this command owns the data folder.

    A runner that starts or stops holds the lock and does not answer yet, or no more: it is given a moment.
    """
    with ExitStack() as stack:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        line = reach(data)
        while line is None:
            try:
                stack.enter_context(lock.own(Path(data.lock), "command"))
                break
            except StoreError:
                if time.monotonic() > deadline:
                    raise
            except OSError as error:
                raise StoreError(f"the data folder is not to be had: {error}", where=data.path) from None
            time.sleep(_PAUSE_SECONDS)
            line = reach(data)
        if line is not None:
            stack.enter_context(line)
        else:
            _import_inbox(data)
        yield line


def _import_inbox(data: DataFolder) -> None:
    """Take in the calls that applications left, as every owner does first."""
    from defer_cli.link.inbox import list_entries

    if not list_entries(data):
        return
    import asyncio

    from defer_cli.engine.inbox import InboxImport, insert_into

    with _opened_store(data) as store:
        asyncio.run(InboxImport(data, insert_into(store), _Refusals()).run())


@contextmanager
def _opened_store(data: DataFolder) -> Iterator[Store]:
    from defer_cli.store.sqlite.store import open_store

    store = open_store(Path(data.database), is_brief=True)
    close = store.close
    told: type[StoreError] = StoreFull  # what was written is on disk: in the log, which is kept
    try:
        yield store
    except StoreError as error:
        told = StoreError  # by the one that is raised
        if error.is_fatal:
            close = store.abandon
        raise
    finally:
        with suppress(told):
            close()


class _Refusals:
    """Says on stderr what of the inbox was refused."""

    def settled(self, moves: Sequence[Move]) -> None:
        """A command runs nothing."""

    def tell(self, event: Event) -> None:
        """An entry could not be taken."""
        if isinstance(event, Note):
            show_warning(event.message, where=str(event.fields.get("kept_in", "")), mend=str(event.fields["reason"]))
