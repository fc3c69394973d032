"""One POST with a deadline for all of it, that follows no redirect; its address is in no error."""

from __future__ import annotations

import os
import socket
import ssl
from base64 import b64encode
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPConnection, HTTPException, HTTPSConnection, RemoteDisconnected
from threading import Event, Lock, Thread
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

SECONDS = 5.0
"""How long a message may take, from the look-up of the name to the answer."""
_MOST_BYTES = 64 * 1024


class NotSent(Exception):
    """The message has not left, or not as a whole: nobody has seen it."""


class NoAnswer(Exception):
    """The message has left, and nobody said what became of it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other side said."""

    status: int
    headers: Message
    body: bytes


def post(url: str, body: bytes, headers: Mapping[str, str], *, seconds: float = SECONDS) -> Answer:
    """Return the answer; raise ``NotSent`` or ``NoAnswer``."""
    posting = _Posting(url, body, headers, seconds)
    Thread(target=posting.run, name="defer-post", daemon=True).start()
    return posting.outcome(seconds)


class _Posting:
    """The thread that posts cannot be stopped in the look-up of a name: it is left alone, and then sends nothing."""

    def __init__(self, url: str, body: bytes, headers: Mapping[str, str], seconds: float) -> None:
        self._url = url
        self._body = body
        self._headers = headers
        self._seconds = seconds
        self._lock = Lock()
        self._has_left = False
        self._is_late = False
        self._is_done = Event()
        self._connection: HTTPConnection | None = None
        self._outcome: Answer | NotSent | NoAnswer = NotSent("it was not tried")

    def run(self) -> None:
        """Connect, send, read the answer."""
        try:
            self._outcome = self._posted()
        except (OSError, HTTPException, ValueError) as error:
            kind = NoAnswer if self._has_left else NotSent
            self._outcome = kind(_in_words(error))
        except (NotSent, NoAnswer) as error:
            self._outcome = error
        finally:
            self._is_done.set()
            if self._connection is not None:
                self._connection.close()

    def outcome(self, seconds: float) -> Answer:
        """Return the answer once it is there; raise ``NotSent`` or ``NoAnswer``."""
        if not self._is_done.wait(seconds):
            with self._lock:
                self._is_late = True
                has_left = self._has_left
            self._hang_up()
            raise (NoAnswer if has_left else NotSent)(f"no answer within {seconds:g} s")
        if isinstance(self._outcome, Answer):
            return self._outcome
        raise self._outcome

    def _posted(self) -> Answer:
        parts = urlsplit(self._url)
        connection = self._connection = _connection(self._url, 2 * self._seconds)  # the deadline comes first
        connection.connect()
        with self._lock:
            if self._is_late:
                raise NotSent("it took too long")
            self._has_left = True
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", target or "/", body=self._body, headers=dict(self._headers))
        response = connection.getresponse()
        body = b""
        with suppress(OSError, HTTPException):  # what counts is the status, which is known
            body = response.read(_MOST_BYTES)
        return Answer(response.status, response.headers, body)

    def _hang_up(self) -> None:
        end = None if self._connection is None else self._connection.sock
        if end is not None:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def _connection(url: str, seconds: float) -> HTTPConnection:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "http":  # to this machine, so past every proxy
        return HTTPConnection(host, parts.port or 80, timeout=seconds)
    context = ssl.create_default_context()
    proxy = None if proxy_bypass(host) else getproxies().get("https")
    if not proxy:
        return HTTPSConnection(host, parts.port or 443, timeout=seconds, context=context)
    through = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    connection = HTTPSConnection(through.hostname or "", through.port or 80, timeout=seconds, context=context)
    headers = {}
    if through.username is not None:
        pair = f"{unquote(through.username)}:{unquote(through.password or '')}"
        headers["Proxy-Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
    connection.set_tunnel(host, parts.port or 443, headers)
    return connection


def _in_words(error: Exception) -> str:
    """Return what went wrong; never in the words of ``HTTPException``, which may quote the address."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not right: {error.verify_message}"
    if isinstance(error, socket.gaierror):
        return f"its name is not known: {error.strerror}"
    if isinstance(error, RemoteDisconnected):
        return "it hung up without an answer"
    if isinstance(error, OSError):
        return error.strerror or (os.strerror(error.errno) if error.errno else type(error).__name__)
    return "its answer is no HTTP"
