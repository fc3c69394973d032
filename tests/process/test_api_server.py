"""The server that the runner's loop has: where it listens, how long it waits, and how it stops."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from defer_cli.domain.errors import SettingError
from defer_cli.web import connection, server
from defer_cli.web.server import PortTaken, Server, bind

pytestmark = pytest.mark.process

ASK = b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n"
Client = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class App:
    """Answers at once; ``/slow`` once it may; ``/stream`` without an end."""

    def __init__(self) -> None:
        self.may_answer = asyncio.Event()
        self.asked = asyncio.Event()
        self.left = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked.set()
        is_stream = scope["path"] == "/stream"
        if scope["path"] == "/slow":
            await self.may_answer.wait()
        headers = [] if is_stream else [(b"content-length", b"2")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"ok", "more_body": is_stream})
        if is_stream:
            await receive()
            while (await receive())["type"] != "http.disconnect":
                pass
            self.left.set()


@asynccontextmanager
async def serving(app: Any, host: str = "127.0.0.1") -> AsyncIterator[tuple[Server, Callable[[], Awaitable[Client]]]]:
    ends = bind(host, 0)
    made = Server(ends, app)
    clients: list[Client] = []

    async def connect() -> Client:
        clients.append(await asyncio.open_connection(*ends[0].getsockname()[:2]))
        return clients[-1]

    await made.start()
    try:
        yield made, connect
    finally:
        hurry = asyncio.Event()
        hurry.set()
        await made.stop(hurry=hurry)
        for _, writer in clients:
            writer.close()


async def test_answers_carry_the_date_of_now_and_are_not_sniffed() -> None:
    async with serving(App()) as (_, connect):
        reader, writer = await connect()
        writer.write(ASK % b"")
        head = (await reader.readuntil(b"\r\n\r\n")).decode()

    assert "x-content-type-options: nosniff\r\n" in head
    date = head.partition("date: ")[2].partition("\r\n")[0]
    assert abs(time.mktime(time.strptime(date, "%a, %d %b %Y %H:%M:%S GMT")) - time.mktime(time.gmtime())) < 5
    assert "server:" not in head


async def test_who_is_late_is_hung_up_on_while_others_are_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.SECONDS, "head", 0.1)
    monkeypatch.setattr(server, "_LOOK_SECONDS", 0.02)
    async with serving(App()) as (_, connect):
        reader, writer = await connect()
        writer.write(b"GET /late HT")
        answer = await asyncio.wait_for(reader.read(), 5)
        reader, writer = await connect()
        writer.write(ASK % b"")

        assert answer.startswith(b"HTTP/1.1 408 ")
        assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200 ")


async def test_localhost_is_served_at_both_of_its_addresses_on_one_port() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        expected = {"127.0.0.1", "::1"}
    except OSError:  # a machine without IPv6
        expected = {"127.0.0.1"}
    ends = bind("localhost", 0)
    try:
        assert {end.getsockname()[0] for end in ends} <= expected
        assert "127.0.0.1" in {end.getsockname()[0] for end in ends}
        assert len({end.getsockname()[1] for end in ends}) == 1
    finally:
        for end in ends:
            end.close()


def test_a_taken_port_is_told_with_the_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortTaken, match=rf"^--port: 127\.0\.0\.1:{port} is taken; give another one, --port 0"):
            bind("127.0.0.1", port)


def test_an_address_of_another_machine_cannot_be_listened_on() -> None:
    with pytest.raises(SettingError, match=r"^--host: 192\.0\.2\.1 is no address of this machine"):
        bind("192.0.2.1", 0)


@pytest.mark.parametrize("host", ["no such host", "*", "a" * 70 + ".example", "\udcff"])
def test_what_is_no_host_is_told(host: str) -> None:
    with pytest.raises(SettingError, match=r"^--host: .* is no address"):
        bind(host, 0)


async def test_a_stop_lets_requests_in_flight_finish() -> None:
    app = App()
    async with serving(app) as (made, connect):
        reader, writer = await connect()
        writer.write(ASK % b"slow")
        await app.asked.wait()
        stopping = asyncio.ensure_future(made.stop(hurry=asyncio.Event()))
        await asyncio.sleep(0)
        with pytest.raises(OSError):  # noqa: PT012 - either may be refused
            _, late = await connect()
            late.write(ASK % b"")
            await asyncio.wait_for(stopping, 0.5)
        app.may_answer.set()

        assert b"connection: close" in await asyncio.wait_for(reader.readuntil(b"ok"), 5)
        await asyncio.wait_for(stopping, 5)


async def test_a_stop_ends_streams_and_idle_connections_at_once() -> None:
    app = App()
    async with serving(app) as (made, connect):
        idle, streaming = await connect(), await connect()
        idle[1].write(ASK % b"")
        streaming[1].write(ASK % b"stream")
        await idle[0].readuntil(b"ok")
        await streaming[0].readuntil(b"ok")

        await asyncio.wait_for(made.stop(hurry=asyncio.Event()), 2)

        assert await idle[0].read() == b""
        assert b"0\r\n\r\n" not in await streaming[0].read()
        await asyncio.wait_for(app.left.wait(), 2)


async def test_a_stop_waits_no_longer_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_LAST_ANSWERS_SECONDS", 0.1)
    app = App()
    async with serving(app) as (made, connect):
        reader, writer = await connect()
        writer.write(ASK % b"slow")
        await app.asked.wait()

        await asyncio.wait_for(made.stop(hurry=asyncio.Event()), 2)
        with pytest.raises(ConnectionError):
            await reader.read()
        app.may_answer.set()


async def test_a_hurried_stop_does_not_wait() -> None:
    app, hurry = App(), asyncio.Event()
    async with serving(app) as (made, connect):
        _, writer = await connect()
        writer.write(ASK % b"slow")
        await app.asked.wait()
        stopping = asyncio.ensure_future(made.stop(hurry=hurry))
        await asyncio.sleep(0)
        hurry.set()

        await asyncio.wait_for(stopping, 2)
        app.may_answer.set()
