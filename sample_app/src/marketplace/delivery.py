"""How a mail leaves: through the server of SMTP_URL, else as a file in the outbox."""

from __future__ import annotations

import asyncio
import os
import ssl
import tempfile
from dataclasses import dataclass
from email.message import EmailMessage
from functools import cache, partial
from pathlib import Path
from smtplib import SMTP, SMTP_SSL
from urllib.parse import unquote, urlsplit

TIMEOUT_SECONDS = 30
PORTS = {"smtp": 25, "smtps": 465, "smtp+starttls": 587}


async def deliver(mail: EmailMessage, *, user: int) -> None:
    """Hand the mail over; raise when the server is away or refuses it."""
    url = os.environ.get("SMTP_URL")
    if url:
        await asyncio.to_thread(MailServer.from_url(url).send, mail)
    else:
        await asyncio.to_thread(put_into_outbox, mail, user=user)


def outbox() -> Path:
    """Return the folder of mails that no server takes: OUTBOX, else ``outbox`` beside ``src``."""
    folder = os.environ.get("OUTBOX")
    return Path(folder) if folder else Path(__file__).resolve().parents[2] / "outbox"


def put_into_outbox(mail: EmailMessage, *, user: int) -> None:
    """Write the mail in one step: a reader of ``<user>.eml`` finds the whole mail or none."""
    folder = outbox()
    folder.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{user}.eml.", dir=folder)
    draft = Path(name)
    try:
        with open(handle, "wb") as file:
            file.write(mail.as_bytes())
        draft.replace(folder / f"{user}.eml")
    except BaseException:
        draft.unlink()
        raise


class BadMailServer(ValueError):
    """SMTP_URL does not name a mail server; the message never shows its password."""

    def __init__(self, problem: str) -> None:
        super().__init__(
            f"SMTP_URL {problem}; write smtp://host:port, smtps://user:password@host or "
            "smtp+starttls://user:password@host, with special characters percent-encoded"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """Where mails are handed over, and as whom."""

    scheme: str
    host: str
    port: int
    user: str | None = None
    password: str | None = None

    @classmethod
    def from_url(cls, url: str) -> MailServer:
        """Read smtp://, smtps:// or smtp+starttls:// with an optional ``user:password@`` and ``:port``."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            raise BadMailServer("is not a URL with a valid host and port") from None
        if parts.scheme not in PORTS:
            raise BadMailServer("has an unknown scheme")
        if not host:
            raise BadMailServer("has no host")
        if parts.path not in ("", "/") or parts.query or parts.fragment:
            raise BadMailServer("goes on after the host")
        if bool(parts.username) != bool(parts.password):
            raise BadMailServer("needs both a user and a password, or neither")
        return cls(
            scheme=parts.scheme,
            host=host,
            port=port or PORTS[parts.scheme],
            user=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
        )

    def send(self, mail: EmailMessage) -> None:
        """Send over a connection of its own; raise an ``SMTPException`` or ``OSError`` when it is not taken."""
        connect = partial(SMTP_SSL, context=_trusted()) if self.scheme == "smtps" else SMTP
        with connect(self.host, self.port, timeout=TIMEOUT_SECONDS) as server:
            if self.scheme == "smtp+starttls":
                server.starttls(context=_trusted())
            if self.user and self.password:
                server.login(self.user, self.password)
            server.send_message(mail)


@cache
def _trusted() -> ssl.SSLContext:
    return ssl.create_default_context()
