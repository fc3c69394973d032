"""The token that opens the API: where it is read, and who shows it."""

from __future__ import annotations

import hmac
import os
import stat
from base64 import b64decode
from collections.abc import Callable

from defer_cli.domain.errors import SettingError
from defer_cli.domain.settings import Settings

_LONGEST = 4_096


class Token:
    """What callers must show; it has no readable form."""

    __slots__ = ("_forms",)

    def __init__(self, text: str) -> None:
        forms = [text.encode("utf-8", "surrogateescape")]
        try:
            forms.append(text.encode("latin-1"))  # how browsers and Node put it into Basic
        except UnicodeEncodeError:
            pass
        self._forms = forms

    def is_shown_by(self, header: bytes) -> bool:
        """Return whether an ``Authorization`` header, of whatever bytes, holds the token: as Basic, or as Bearer."""
        given = _secret_of(header)
        if given is None:
            return False
        return self._is_one_of_its_forms(given)

    def is_(self, text: str) -> bool:
        """Return whether a text is the token, spaces around it aside."""
        return self._is_one_of_its_forms(text.strip().encode("utf-8", "surrogateescape"))

    def key_for(self, purpose: bytes) -> bytes:
        """Return a key that nobody finds without the token, and that does not tell the token."""
        return hmac.digest(self._forms[0], purpose, "sha256")

    def _is_one_of_its_forms(self, given: bytes) -> bool:
        matches = [hmac.compare_digest(given, form) for form in self._forms]
        return any(matches)


def _secret_of(header: bytes) -> bytes | None:
    scheme, _, rest = header.partition(b" ")
    scheme = scheme.lower()
    if scheme == b"bearer":
        return rest.strip()
    if scheme != b"basic":
        return None
    try:
        user, colon, password = b64decode(rest.strip(), validate=True).partition(b":")
    except ValueError:
        return None
    return password.strip() if colon and not user else None


def read_token(settings: Settings, warn: Callable[[str], None]) -> Token | None:
    """Return the token of the environment, else of its file; None when there is none of them.

    Raises ``SettingError`` for one that is empty or cannot be read. Others who may read the file are told to ``warn``.
    """
    if settings.token is not None:
        return Token(_checked(settings.token, "DEFER_TOKEN"))
    if settings.token_file is None:
        return None
    where = f"DEFER_TOKEN_FILE: {settings.token_file}"
    try:
        with open(settings.token_file, "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(_LONGEST + 1)
    except OSError as error:
        raise SettingError(
            f"it cannot be read: {error.strerror}",
            where=where,
            mend="name a file that holds the token and nothing else",
        ) from None
    if mode & (stat.S_IROTH | stat.S_IWOTH | stat.S_IWGRP):
        warn(f"{where}: other users can read or change it (mode {stat.S_IMODE(mode):04o}); chmod 0600")
    return Token(_checked(content.decode("utf-8", "surrogateescape"), where))


def _checked(text: str, where: str) -> str:
    token = text.strip()
    if not token:
        raise SettingError("the token is empty", where=where, mend="write one: `openssl rand -hex 32`")
    if len(token) > _LONGEST or any(letter in token for letter in "\0\r\n"):
        raise SettingError(
            f"the token has more than one line, or over {_LONGEST:,} letters",
            where=where,
            mend="write one: `openssl rand -hex 32`",
        )
    return token
