"""The API answers under its own names only, whatever a page's name was made to point at."""

from __future__ import annotations

import socket

import pytest

from defer_cli.web.hosts import Hosts

OUR_OWN = [b"127.0.0.1", b"127.0.0.1:3337", b"localhost", b"LOCALHOST:3337", b"[::1]", b"[::1]:3337", b"[0:0::1]:3337"]
FOREIGN = [
    b"evil.example",
    b"evil.example:3337",
    b"localhost.evil.example",
    b"127.0.0.1.evil.example:3337",
    b"localhost.",
    b"localhost:3338",
    b"127.0.0.1:80",
    b"127.0.0.2",
    b"127.1",
    b"0",
    b"2130706433",
    b"192.168.0.1",
    b"[::ffff:127.0.0.1]",
    b"[::2]",
]
ODD = [
    b"",
    b" ",
    b":3337",
    b"localhost:",
    b"localhost:port",
    b"localhost:99999",
    b"localhost:3337:3337",
    b"user@localhost",
    b"localhost/",
    b"localhost localhost",
    b"http://localhost",
    b"[::1",
    b"::1",
    b"\xff\xfe",
    b"l\xc3\xb6calhost",
    b"localhost\t",
    b"a" * 300,
]


@pytest.fixture
def loopback() -> Hosts:
    return Hosts(host="127.0.0.1", port=3337)


@pytest.mark.parametrize("header", OUR_OWN)
def test_a_server_of_this_machine_answers_as_this_machine(loopback: Hosts, header: bytes) -> None:
    assert [loopback.refusal_of(header), loopback.refusal_of(header)] == [None, None]


@pytest.mark.parametrize("header", FOREIGN)
def test_any_other_name_is_refused(loopback: Hosts, header: bytes) -> None:
    assert loopback.refusal_of(header) == 403


@pytest.mark.parametrize("header", ODD)
def test_what_names_no_host_is_told_apart(loopback: Hosts, header: bytes) -> None:
    assert loopback.refusal_of(header) == 400


@pytest.mark.parametrize(
    ("bound", "header"), [("127.0.0.2", b"127.0.0.2:3337"), ("[::1]", b"[::1]"), ("::1", b"[::1]")]
)
def test_the_address_it_is_bound_to_is_a_name_of_its_own(bound: str, header: bytes) -> None:
    assert Hosts(host=bound, port=3337).refusal_of(header) is None


@pytest.mark.parametrize("header", [b"10.1.2.3:8080", b"[fe80::1]", b"localhost:8080", socket.gethostname().encode()])
def test_a_server_of_the_network_answers_to_any_address_and_to_the_machines_name(header: bytes) -> None:
    assert Hosts(host="0.0.0.0", port=3337).refusal_of(header) is None


def test_a_server_of_the_network_refuses_other_names_too() -> None:
    assert Hosts(host="::", port=3337).refusal_of(b"evil.example") == 403


def test_a_name_that_was_allowed_is_answered_at_any_port_or_at_its_own() -> None:
    hosts = Hosts(host="127.0.0.1", port=3337, allowed=["runner", "defer.example:8443"])

    answered = [b"runner", b"RUNNER:9", b"defer.example:8443"]
    assert [hosts.refusal_of(header) for header in answered] == [None, None, None]
    assert [hosts.refusal_of(header) for header in (b"defer.example", b"sub.runner")] == [403, 403]


def test_what_is_remembered_of_good_names_is_bounded() -> None:
    hosts = Hosts(host="0.0.0.0", port=3337)
    for number in range(1_000):
        assert hosts.refusal_of(f"10.0.{number // 256}.{number % 256}".encode()) is None

    assert len(hosts._remembered) <= 256
