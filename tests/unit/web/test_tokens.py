"""The token opens the API in two forms; nothing else does, and nothing that is sent breaks the comparison."""

from __future__ import annotations

import os
from base64 import b64encode
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from defer_cli.domain.errors import SettingError
from defer_cli.domain.settings import Settings
from defer_cli.web.tokens import Token, read_token

TOKEN = Token("s3cret")


def basic(user: bytes, password: bytes) -> bytes:
    return b"Basic " + b64encode(user + b":" + password)


@pytest.mark.parametrize("header", [b"Basic OnMzY3JldA==", b"bAsIc OnMzY3JldA==", b"Bearer s3cret", b"bearer  s3cret "])
def test_the_token_is_taken_as_basic_without_a_user_and_as_bearer(header: bytes) -> None:
    assert TOKEN.is_shown_by(header)


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"s3cret",
        b"Bearer",
        b"Bearer ",
        b"Bearer s3cre",
        b"Bearer s3crets",
        b"Token s3cret",
        b"Basic s3cret",
        b"Basic !!!",
        b"Basic OnMzY3JldA",
        b"Basic " + b64encode(b"s3cret"),
        basic(b"user", b"s3cret"),
        basic(b"", b""),
        basic(b"s3cret", b""),
        b"Bearer s\xff3cret",
        b"\xff\x00 s3cret",
    ],
)
def test_anything_else_does_not_open(header: bytes) -> None:
    assert not TOKEN.is_shown_by(header)


@given(st.binary(max_size=200), st.sampled_from([b"Basic ", b"Bearer ", b""]))
def test_any_bytes_are_compared_without_a_fault(noise: bytes, scheme: bytes) -> None:
    assert not TOKEN.is_shown_by(scheme + noise + b"x")


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_a_token_beyond_ascii_is_taken_as_browsers_send_it_and_as_programs_do(encoding: str) -> None:
    assert Token("pässword").is_shown_by(basic(b"", "pässword".encode(encoding)))


def test_a_token_that_is_no_text_is_still_a_token() -> None:
    assert Token(os.fsdecode(b"\xff\xfe")).is_shown_by(b"Bearer \xff\xfe")


def test_a_token_is_never_shown() -> None:
    assert "s3cret" not in repr(TOKEN)


def reading(settings: Settings) -> tuple[Token | None, list[str]]:
    warnings: list[str] = []
    return read_token(settings, warnings.append), warnings


def test_no_token_is_none() -> None:
    assert reading(Settings()) == (None, [])


def test_the_file_is_read_without_the_space_around_it(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("\n  s3cret \n")
    file.chmod(0o600)

    token, warnings = reading(Settings(token_file=str(file)))

    assert token is not None
    assert token.is_shown_by(b"Bearer s3cret")
    assert warnings == []


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    token, _ = reading(Settings(token="s3cret", token_file=str(tmp_path / "missing")))

    assert token is not None


@pytest.mark.parametrize("mode", [0o644, 0o602, 0o620])
def test_a_file_that_others_can_read_or_change_is_warned_of(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "token"
    file.write_text("s3cret")
    file.chmod(mode)

    (warning,) = reading(Settings(token_file=str(file)))[1]

    assert f"{mode:04o}" in warning
    assert "s3cret" not in warning


@pytest.mark.parametrize("content", [b"", b" \n\t ", b"hunter1\nhunter2", b"hunter\0", b"hunter" * 1_000])
def test_a_file_without_one_plain_token_is_refused_and_not_quoted(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    file.chmod(0o600)

    with pytest.raises(SettingError, match="the token ") as refused:
        reading(Settings(token_file=str(file)))

    assert "hunter" not in str(refused.value)


def test_a_missing_file_is_refused_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"DEFER_TOKEN_FILE: .*missing: it cannot be read: No such file"):
        reading(Settings(token_file=str(tmp_path / "missing")))


def test_a_blank_token_in_the_environment_is_refused() -> None:
    with pytest.raises(SettingError, match="DEFER_TOKEN: the token is empty"):
        reading(Settings(token=" "))
