"""Where the HTTP route leads: addresses that are none, and a token that is shown to nobody."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest

from defer_cli.client.calls import make_call
from defer_cli.client.http_endpoint import Endpoint, checked_endpoint, endpoint_as_set, has_token
from defer_cli.client.lanes import defer_enabled, lane_for, lane_for_lists, lanes_for_ids, leads_where
from defer_cli.domain.errors import SettingError
from tests.unit.client.conftest import Function


@pytest.mark.parametrize(
    ("address", "url", "host"),
    [
        ("http://127.0.0.1:3337", "http://127.0.0.1:3337", "127.0.0.1"),
        (" https://runner.example/ ", "https://runner.example", "runner.example"),
        ("HTTP://Runner:80", "http://runner:80", "runner"),
        ("http://[::1]:3337", "http://[::1]:3337", "::1"),
    ],
)
def test_an_address_is_a_scheme_a_host_and_perhaps_a_port(address: str, url: str, host: str) -> None:
    endpoint = checked_endpoint(address, "token")

    assert (endpoint.url, endpoint.host) == (url, host)


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("runner:3337", "'runner:3337' has no http:// or https:// and a host"),
        ("localhost", "'localhost' has no http://"),
        ("ftp://runner", "has no http:// or https://"),
        ("http://", "has no http:// or https:// and a host"),
        ("http://runner/api", "has a path; give http://runner: the API lies at its root"),
        ("http://runner/?a=1", "has a path"),
        ("http://runner#a", "has a path"),
        ("http://runner:port", "is no address: "),
        ("http://runner:99999", "is no address: "),
        ("http://[::1", "is no address: "),
        ("http://run ner", "is no address"),
        ("http://" + "x" * 1_000 + "/y", "…"),
    ],
)
def test_what_is_no_address_is_told(address: str, problem: str) -> None:
    with pytest.raises(SettingError) as told:
        checked_endpoint(address, "token")

    assert told.value.where == "DEFER_ENDPOINT"
    assert problem in str(told.value)
    assert len(str(told.value)) < 1_300


def test_a_password_in_an_address_is_refused_and_not_shown() -> None:
    with pytest.raises(SettingError, match="give the token by DEFER_TOKEN alone") as told:
        checked_endpoint("http://:secret@runner", "token")

    assert "secret" not in str(told.value)


@pytest.mark.parametrize("token", ["tok", "tökén: with a colon", os.fsdecode(b"\xff\x00x".replace(b"\0", b""))])
def test_the_token_is_a_password_of_nobody(token: str) -> None:
    endpoint = Endpoint("http://runner", "runner", token)

    assert base64.b64decode(endpoint.authorization.removeprefix("Basic ")) == b":" + os.fsencode(token)
    assert token not in repr(endpoint)


@pytest.mark.parametrize(
    ("host", "is_loopback"), [("127.0.0.1", True), ("localhost", True), ("::1", True), ("runner", False)]
)
def test_no_proxy_is_asked_for_the_way_to_this_machine(host: str, is_loopback: bool) -> None:
    assert Endpoint(f"http://{host}", host, "token").is_loopback is is_loopback


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEFER_TOKEN", "")
    monkeypatch.setenv("DEFER_ENDPOINT", "")

    assert not has_token()
    assert endpoint_as_set() == ("http://127.0.0.1:3337", "")


# Lanes.


def test_a_token_leads_calls_and_questions_to_one_place(compute: Function, monkeypatch: pytest.MonkeyPatch) -> None:
    by_folder = lane_for(compute.file)
    monkeypatch.setenv("DEFER_TOKEN", "token")
    lane = lane_for(compute.file)

    assert lane is not by_folder
    assert lane.folder() is None
    assert [lane] == list(lanes_for_ids()) == [lane_for_lists()]
    assert defer_enabled()


def test_two_addresses_are_two_places(compute: Function, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEFER_TOKEN", "token")
    one = lane_for(compute.file)
    monkeypatch.setenv("DEFER_ENDPOINT", "http://runner")
    other = lane_for(compute.file)

    assert leads_where(one, one)
    assert not leads_where(one, other)


def test_a_token_in_a_file_does_not_count(compute: Function, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DEFER_TOKEN=token\n")

    assert lane_for(compute.file).folder() is not None


def test_a_wrong_address_is_told_before_anything_is_sent(compute: Function, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEFER_TOKEN", "token")
    monkeypatch.setenv("DEFER_ENDPOINT", "runner")

    with pytest.raises(SettingError, match="^DEFER_ENDPOINT: 'runner' has no http://"):
        make_call(compute, (1,), {})
