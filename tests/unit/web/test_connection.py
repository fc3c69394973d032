"""A connection has deadlines and caps, and tells its peer which one it broke."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from defer_cli.web.connection import (
    MOST_BODY,
    MOST_HEAD,
    MOST_HEADERS,
    MOST_PIPELINED,
    MOST_URL,
    READ_ANSWER_SECONDS,
)
from defer_cli.web.crowd import Crowd
from tests.unit.api.peer import HEAD, WHOLE, Peer


@pytest.fixture(autouse=True)
def nothing_goes_wrong_inside(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_a_request_is_answered_and_the_connection_kept() -> None:
    peer = Peer()
    await peer.send(WHOLE, WHOLE)

    assert peer.statuses == [200, 200]
    assert not peer.transport.is_closed


async def test_an_idle_connection_is_kept_for_75_seconds() -> None:
    peer = Peer()
    await peer.send(WHOLE)

    peer.later(74)
    assert not peer.transport.is_closed

    peer.later(76)
    assert peer.transport.is_closed


async def test_empty_lines_do_not_keep_an_idle_connection() -> None:
    peer = Peer()
    await peer.send(WHOLE, b"\r\n", b"\r\n")

    peer.later(76)

    assert peer.transport.is_closed


async def test_who_says_nothing_is_hung_up_on_without_a_word() -> None:
    peer = Peer()

    peer.later(9)
    assert not peer.transport.is_closed

    peer.later(11)
    assert peer.transport.is_closed
    assert peer.transport.written == b""


@pytest.mark.parametrize("before", [b"", WHOLE], ids=["the first request", "a later one"])
async def test_headers_have_10_seconds_however_they_trickle(before: bytes) -> None:
    peer = Peer()
    if before:
        await peer.send(before)
    await peer.send(b"P", b"UT /x HTTP/1.1\r\n", b"Host", b": a\r\n")

    peer.later(11)

    assert peer.statuses[-1] == 408
    assert peer.last_error["error"] == "timeout"


async def test_a_body_has_30_seconds_however_it_trickles() -> None:
    peer = Peer()
    await peer.send(HEAD + b"Content-Length: 9\r\n\r\n", b"1", b"2")

    peer.later(29)
    assert peer.statuses == []

    peer.later(31)
    assert peer.statuses == [408]
    assert peer.asked == []


async def test_an_answer_may_take_its_time() -> None:
    peer = Peer()
    peer.go.clear()
    await peer.send(WHOLE)

    peer.later(3_600)
    peer.go.set()
    await peer.send(b"")

    assert not peer.transport.is_closed


async def test_who_does_not_read_an_answer_is_hung_up_on() -> None:
    peer = Peer()
    await peer.send(WHOLE)
    peer.transport.unread = 100_000
    peer.connection.pause_writing()

    peer.later(READ_ANSWER_SECONDS - 1)
    assert not peer.transport.is_aborted

    peer.later(READ_ANSWER_SECONDS + 1)
    assert peer.transport.is_aborted


async def test_who_reads_it_late_is_not() -> None:
    peer = Peer()
    await peer.send(WHOLE)
    peer.transport.unread = 100_000
    peer.connection.pause_writing()
    peer.connection.resume_writing()

    peer.later(READ_ANSWER_SECONDS + 1)

    assert not peer.transport.is_aborted
    assert peer.connection.held() == 0


async def test_the_next_request_waits_until_the_last_answer_is_read() -> None:
    peer = Peer()
    peer.go.clear()
    await peer.send(WHOLE * 2)
    peer.connection.pause_writing()
    peer.connection.flow.write_paused = True
    peer.connection.flow._is_writable_event.set()  # this answer is on its way already
    peer.go.set()
    await peer.send(b"")
    assert (peer.statuses, len(peer.asked)) == ([200], 1)
    assert peer.transport.is_reading_paused

    peer.connection.resume_writing()
    await peer.send(b"")

    assert peer.statuses == [200, 200]
    assert not peer.transport.is_reading_paused


async def test_closing_does_not_wait_for_ever_for_a_peer_that_does_not_read() -> None:
    peer = Peer()
    await peer.send(HEAD + b"Connection: close\r\nContent-Length: 2\r\n\r\n{}")
    assert peer.transport.is_closed

    peer.later(READ_ANSWER_SECONDS + 1)

    assert peer.transport.is_aborted


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /" + b"a" * MOST_URL + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        (b"GET /x HTTP/1.1\r\nX: " + b"a" * MOST_HEAD + b"\r\n\r\n", 431),
        (b"GET /x HTTP/1.1\r\n" + b"X: a\r\n" * (MOST_HEADERS + 1) + b"\r\n", 431),
        (HEAD + b"Content-Length: %d\r\n\r\n" % (MOST_BODY + 1), 413),
        (HEAD + b"Content-Length: 1073741824\r\n\r\n{", 413),
        (HEAD + b"Content-Length: 9999999999999999999999\r\n\r\n", 400),
        (HEAD + b"Content-Length: -1\r\n\r\n", 400),
        (HEAD + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", 400),
        (HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n{}", 400),
        (HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400),
        (HEAD + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nZ\r\n", 400),
        (HEAD + b"Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\n{}", 400),
        (HEAD + b"X: a\r\n folded\r\n\r\n", 400),
        (HEAD + b"X: a\0b\r\n\r\n", 400),
        (HEAD + b"X: a\nY: b\r\n\r\n", 400),
        (HEAD + b": nameless\r\n\r\n", 400),
        (b"GET http://evil.example/x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"CONNECT evil.example:80 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/7.3\r\nHost: a\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00", 400),
        (b"\0" * 100, 400),
    ],
)
async def test_what_cannot_be_served_is_refused_and_never_reaches_the_application(request_: bytes, status: int) -> None:
    peer = Peer()
    await peer.send(request_, b"GET /after HTTP/1.1\r\nHost: a\r\n\r\n")

    assert peer.statuses == [status]
    assert set(peer.last_error) == {"error", "message"}
    assert peer.asked == []


async def test_headers_without_an_end_are_refused() -> None:
    peer = Peer()
    await peer.send(HEAD + b"X: ", *[b"a" * 100_000] * 4)

    assert peer.statuses == [431]


async def test_a_body_of_the_largest_size_is_taken_and_a_byte_more_is_not() -> None:
    for size, statuses in ((MOST_BODY, [200]), (MOST_BODY + 1, [413])):
        peer = Peer()
        await peer.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % size, b"a" * size, b"\r\n0\r\n\r\n")

        assert peer.statuses == statuses
        assert peer.connection.held() == 0


async def test_a_body_in_tiny_chunks_is_not_larger_than_four_whole_ones() -> None:
    peer = Peer()
    await peer.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", *[b"1;" + b"x" * 1_000 + b"\r\na\r\n"] * 5_000)

    assert peer.statuses == [413]


async def test_trailers_are_no_headers_and_are_bounded() -> None:
    for count, statuses in ((1, [200]), (MOST_HEADERS + 1, [431])):
        peer = Peer()
        peer.go.clear()
        await peer.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"Host: evil\r\n" * count + b"\r\n")
        peer.go.set()
        await peer.send(b"")

        assert peer.statuses == statuses


async def test_requests_sent_before_their_answers_are_answered_in_order() -> None:
    peer = Peer()
    await peer.send(WHOLE * 3, b"")

    assert peer.statuses == [200, 200, 200]


async def test_too_many_requests_before_their_answers_end_the_connection_after_those_that_were_taken() -> None:
    peer = Peer()
    await peer.send(WHOLE * 1_000, *[b""] * MOST_PIPELINED)

    assert peer.statuses == [200] * (MOST_PIPELINED + 1)
    assert peer.transport.is_closed


async def test_rubbish_after_a_request_does_not_spoil_its_answer() -> None:
    peer = Peer()
    peer.go.clear()
    await peer.send(WHOLE + b"\0\0\0")
    peer.go.set()
    await peer.send(b"more", b"more")

    assert peer.statuses == [200]
    assert peer.transport.is_closed


async def test_who_asks_for_another_protocol_goes_on_with_this_one() -> None:
    peer = Peer()
    ask = b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
    await peer.send(ask + WHOLE, b"")

    assert peer.statuses == [200, 200]


async def test_the_rest_of_a_refused_request_is_thrown_away_in_bounds() -> None:
    peer = Peer()
    await peer.send(HEAD + b"Content-Length: 1073741824\r\n\r\n")

    await peer.send(*[b"a" * (1 << 18)] * 4)
    assert not peer.transport.is_aborted

    await peer.send(*[b"a" * (1 << 18)] * 16)
    assert peer.transport.is_aborted
    assert peer.statuses == [413]


async def test_what_comes_after_a_refusal_is_read_also_where_reading_had_paused() -> None:
    peer = Peer()
    peer.connection.data_received(HEAD + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % MOST_BODY + b"a" * MOST_BODY)
    assert peer.transport.is_reading_paused

    peer.connection.data_received(b"\r\n1\r\na")

    assert peer.statuses == [413]
    assert not peer.transport.is_reading_paused
    await peer.hang_up()


async def test_after_a_refusal_the_peer_has_two_seconds_to_hang_up() -> None:
    peer = Peer()
    await peer.send(b"\0")

    peer.later(3)

    assert peer.transport.is_aborted


async def test_a_connection_that_is_not_welcome_is_told_so() -> None:
    peer = Peer(Crowd(most=0))

    assert peer.statuses == [503]
    assert peer.transport.is_closed


async def test_the_slowest_body_makes_room_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    crowd = Crowd(most_held=1_000_000)
    slow, other = Peer(crowd), Peer(crowd)
    begin = HEAD + b"Content-Length: 1000000\r\n\r\n"
    await slow.send(begin + b"a" * 600_000)
    assert slow.connection.held() > 600_000
    slow.connection._since -= 2

    await other.send(begin + b"a" * 600_000)

    assert slow.transport.is_aborted
    assert not other.transport.is_closed
    await slow.hang_up()
    await other.hang_up()


async def test_large_bodies_all_at_once_are_refused_where_none_is_slow() -> None:
    crowd = Crowd(most_held=1_000_000)
    first, second = Peer(crowd), Peer(crowd)
    begin = HEAD + b"Content-Length: 1000000\r\n\r\n"
    await first.send(begin + b"a" * 600_000)
    await second.send(begin + b"a" * 600_000)

    assert (first.statuses, second.statuses) == ([], [503])
    assert second.connection.held() == 0
    await first.hang_up()


async def test_what_is_held_for_a_connection_goes_with_it() -> None:
    crowd = Crowd()
    peer = Peer(crowd)
    await peer.send(HEAD + b"Content-Length: 1000000\r\n\r\n" + b"a" * 600_000)
    peer.transport.unread = 70_000
    peer.connection.pause_writing()

    await peer.hang_up()

    assert crowd._held == 0
    assert list(crowd) == []
    assert peer.asked == []


async def test_a_stop_ends_idle_connections_and_streams_at_once_and_answers_when_they_are_whole() -> None:
    idle, streaming, answering = Peer(), Peer(), Peer()
    streaming.is_streaming = True
    answering.go.clear()
    for peer in (idle, streaming, answering):
        await peer.send(WHOLE)
        peer.connection.stop()

    assert [peer.transport.is_closed for peer in (idle, streaming, answering)] == [True, True, False]

    answering.go.set()
    await answering.send(b"")
    await streaming.hang_up()

    assert answering.transport.is_closed
    assert b"connection: close" in answering.transport.written
