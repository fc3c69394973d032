"""Who the service manager is, and what is left of it in the environment."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from defer_cli.link.notify import ServiceManager, take_manager


def test_what_the_manager_said_is_removed_from_the_environment() -> None:
    environ = {"NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1", "PATH": "/bin"}

    assert take_manager(environ) is not None
    assert environ == {"PATH": "/bin"}


@pytest.mark.parametrize("address", [None, "", "relative", "vsock:2:1234"])
def test_without_an_address_there_is_no_manager(address: str | None) -> None:
    assert take_manager({} if address is None else {"NOTIFY_SOCKET": address}) is None


@pytest.mark.parametrize(
    ("words", "seconds"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 30),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
    ids=["ours", "ours-by-name", "another-process", "off", "no-number", "unwatched"],
)
def test_the_watchdog_waits_for_this_process_only_where_it_says_so(
    words: dict[str, str], seconds: float | None
) -> None:
    manager = take_manager({"NOTIFY_SOCKET": "/run/notify", **words})

    assert manager is not None
    assert manager.watchdog_seconds == seconds


def test_a_message_is_a_line_a_word_whatever_it_says(tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.bind(address)
        ServiceManager(address).tell(READY=1, STATUS="two\nlines, and \udc80")

        assert end.recv(1_000) == b"READY=1\nSTATUS=two lines, and \\udc80"


def test_a_manager_that_has_gone_is_no_failure(tmp_path: Path) -> None:
    ServiceManager(str(tmp_path / "nobody")).tell(READY=1)
