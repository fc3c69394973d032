"""Who is signed in, and until when."""

from __future__ import annotations

import pytest

from defer_cli.console.sessions import LIFETIME_SECONDS, Sessions, TooManyTries, cookie_of, set_cookie
from defer_cli.web.tokens import Token


class Time:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def sessions(time: Time) -> Sessions:
    return Sessions(Token("s3cret"), time)


def begun(sessions: Sessions) -> str:
    value = sessions.begin("s3cret")
    assert value is not None
    return value


def test_who_shows_the_token_is_signed_in_for_twelve_hours(sessions: Sessions, time: Time) -> None:
    value = begun(sessions)
    time.now += LIFETIME_SECONDS - 1
    assert sessions.ends_at(value) is not None
    time.now += 1
    assert sessions.ends_at(value) is None


def test_another_token_begins_nothing(sessions: Sessions) -> None:
    assert sessions.begin("secret") is None
    assert sessions.begin("") is None


def test_a_cookie_holds_at_every_start_with_the_same_token(sessions: Sessions, time: Time) -> None:
    assert Sessions(Token("s3cret"), time).ends_at(begun(sessions)) is not None


def test_another_token_ends_all_sessions(sessions: Sessions, time: Time) -> None:
    assert Sessions(Token("other"), time).ends_at(begun(sessions)) is None


def test_a_session_that_was_ended_holds_no_longer_and_others_do(sessions: Sessions) -> None:
    one, other = begun(sessions), begun(sessions)
    sessions.end(one)
    assert sessions.ends_at(one) is None
    assert sessions.ends_at(other) is not None


@pytest.mark.parametrize("change", ["longer", "cut", "empty", "dots", "wild", "nan"])
def test_a_cookie_that_was_changed_is_none(sessions: Sessions, change: str) -> None:
    until, nonce, signature = begun(sessions).split(".")
    value = {
        "longer": f"{int(until) + 1}.{nonce}.{signature}",
        "cut": f"{until}.{nonce}.{signature[:-1]}",
        "empty": "",
        "dots": "...",
        "wild": "\udc80é\x00.☃",
        "nan": f"nan.{nonce}.{signature}",
    }[change]
    assert sessions.ends_at(value) is None
    sessions.end(value)


def test_who_guesses_has_to_wait_and_so_long_the_token_is_refused_too(sessions: Sessions, time: Time) -> None:
    for _ in range(10):
        assert sessions.begin("guess") is None
    with pytest.raises(TooManyTries):
        sessions.begin("s3cret")
    time.now += 60
    assert sessions.begin("s3cret") is not None


def test_the_cookie_is_for_our_own_pages_only() -> None:
    header = set_cookie("1.a.b", is_secure=True)
    assert header.startswith("defer_session=1.a.b; ")
    assert {"HttpOnly", "Max-Age=43200", "Path=/", "SameSite=Strict", "Secure"} == set(header.split("; ")[1:])
    assert "Secure" not in set_cookie("1.a.b", is_secure=False)


def test_the_cookie_is_found_beside_odd_ones() -> None:
    assert cookie_of('a="; x; defer_session=1.a.b; b=\x00') == "1.a.b"
    assert cookie_of("not_defer_session=1") == ""
    assert cookie_of(None) == ""
    assert cookie_of("defer_session=" + "1" * 5_000) == ""
