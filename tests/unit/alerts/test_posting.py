"""A POST takes five seconds at most, follows no redirect, and says whether it has left."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from defer_cli.alerts import posting
from defer_cli.alerts.posting import NoAnswer, NotSent, post
from tests.process.receiver import Answer, Receiver

BRIEF_SECONDS = 0.3
Talk = Callable[[socket.socket, threading.Event], object]


def read_request(end: socket.socket) -> None:
    data = b""
    while b"\r\n\r\n{}" not in data:
        data += end.recv(65_536)


def silent(end: socket.socket, is_over: threading.Event) -> None:
    read_request(end)
    is_over.wait()


def dripping(end: socket.socket, is_over: threading.Event) -> None:
    read_request(end)
    while not is_over.wait(0.05):
        end.sendall(b"H")


def hanging_up(end: socket.socket, is_over: threading.Event) -> None:
    read_request(end)


def babbling(end: socket.socket, is_over: threading.Event) -> None:
    read_request(end)
    end.sendall(b"very-secret /services/T0/B0\r\n\r\n")


def endless(end: socket.socket, is_over: threading.Event) -> None:
    read_request(end)
    end.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while not is_over.is_set():
        end.sendall(b"x" * 65_536)


@contextmanager
def talking(talk: Talk) -> Iterator[str]:
    """Accept one connection and talk; yield the address."""
    is_over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            end, _ = server.accept()
            with end:
                try:
                    talk(end, is_over)
                except OSError:
                    return

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/very-secret"
        finally:
            is_over.set()
            thread.join(10)
            assert not thread.is_alive()


@pytest.mark.parametrize(
    ("talk", "words"),
    [
        (silent, "no answer within 0.3 s"),
        (dripping, "no answer within 0.3 s"),
        (hanging_up, "it hung up without an answer|Connection reset"),
        (babbling, "its answer is no HTTP"),
    ],
)
def test_what_has_left_and_was_not_answered_may_have_arrived(talk: Talk, words: str) -> None:
    with talking(talk) as url, pytest.raises(NoAnswer, match=words) as refused:
        post(url, b"{}", {}, seconds=BRIEF_SECONDS)

    assert "secret" not in str(refused.value)


def test_what_follows_the_status_is_not_waited_for() -> None:
    with talking(endless) as url:
        assert post(url, b"{}", {}, seconds=5).status == 200


def test_who_is_not_there_has_not_got_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    with pytest.raises(NotSent, match="Connection refused"):
        post(f"http://127.0.0.1:{port}/very-secret", b"{}", {})


def test_a_name_that_takes_long_to_find_is_given_up_and_nothing_is_sent_later(monkeypatch: pytest.MonkeyPatch) -> None:
    found = threading.Event()
    is_done = threading.Event()
    run = posting._Posting.run

    def look_up(*args: object, **kwargs: object) -> socket.socket:
        found.wait()
        return connect(*args, **kwargs)  # type: ignore[arg-type]

    def run_noted(self: posting._Posting) -> None:
        run(self)
        is_done.set()

    connect = socket.create_connection
    monkeypatch.setattr(socket, "create_connection", look_up)
    monkeypatch.setattr(posting._Posting, "run", run_noted)
    with Receiver() as receiver:
        with pytest.raises(NotSent, match=r"no answer within 0\.3 s"):
            post(receiver.url, b"{}", {}, seconds=BRIEF_SECONDS)
        found.set()
        assert is_done.wait(10)

        assert receiver.came == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_answer_and_is_not_followed(status: int) -> None:
    with Receiver() as elsewhere, Receiver(Answer(status, {"Location": elsewhere.url})) as receiver:
        answer = post(receiver.url, b"{}", {"x-one": "1"})

        assert (answer.status, len(receiver.came), elsewhere.came) == (status, 1, [])
        assert receiver.came[0].headers["x-one"] == "1"


def test_a_certificate_that_is_not_right_is_refused_before_anything_is_said() -> None:
    with Receiver() as receiver, pytest.raises(NotSent):  # it speaks no TLS at all
        post(receiver.url.replace("http:", "https:"), b"{}", {})

    assert receiver.came == []


def test_this_machine_is_reached_past_every_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with Receiver() as receiver:
        assert post(receiver.url, b"{}", {}).status == 200


def test_others_are_reached_through_the_proxy_and_it_learns_no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[bytes] = []

    def refuse(end: socket.socket, is_over: threading.Event) -> None:
        while b"\r\n\r\n" not in b"".join(heard):
            heard.append(end.recv(65_536))
        end.sendall(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")

    with talking(refuse) as url:
        proxy = url.removesuffix("/very-secret").replace("http://", "http://user:pass%20word@")
        monkeypatch.setenv("https_proxy", proxy)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        with pytest.raises(NotSent):
            post("https://hooks.example.org/very-secret", b"{}", {})

    request = b"".join(heard)
    assert request.startswith(b"CONNECT hooks.example.org:443 ")
    assert b"Proxy-Authorization: Basic dXNlcjpwYXNzIHdvcmQ=" in request
    assert b"very-secret" not in request
