"""Mails reach the outbox or a real SMTP server."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from smtplib import SMTPAuthenticationError, SMTPRecipientsRefused
from ssl import PROTOCOL_TLS_SERVER, SSLCertVerificationError, SSLContext

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from marketplace import delivery
from marketplace.delivery import BadMailServer, MailServer, deliver, outbox, put_into_outbox
from tests.sample_app.postbox import Postbox, listening


def check_password(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object) -> AuthResult:
    known = isinstance(data, LoginPassword) and (data.login, data.password) == (b"shop", b"p@ss:word")
    return AuthResult(success=known, handled=False)


@pytest.fixture
def mail() -> EmailMessage:
    mail = EmailMessage()
    mail["Subject"] = "Grüße"
    mail["From"] = "shop@marketplace.example"
    mail["To"] = "user-1@marketplace.example"
    mail["Message-ID"] = "<01h@marketplace.example>"
    mail.set_content("five products\n")
    return mail


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "outbox"
    monkeypatch.setenv("OUTBOX", str(folder))
    monkeypatch.delenv("SMTP_URL", raising=False)
    return folder


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for 127.0.0.1 in one file."""
    pem = tmp_path_factory.mktemp("tls") / "server.pem"
    request = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=localhost"
    subprocess.run(
        ["openssl", *request.split(), "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", pem, "-out", f"{pem}.crt"],
        check=True,
        capture_output=True,
    )
    pem.write_text(pem.read_text() + Path(f"{pem}.crt").read_text())
    return pem


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SSLContext]:
    """A server's TLS, made known to the client the way an administrator would."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    delivery._trusted.cache_clear()
    yield server_tls(certificate)
    delivery._trusted.cache_clear()


def server_tls(certificate: Path) -> SSLContext:
    context = SSLContext(PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def test_without_a_server_the_mail_is_a_file_named_after_the_user(folder: Path, mail: EmailMessage) -> None:
    asyncio.run(deliver(mail, user=1))

    read = message_from_bytes((folder / "1.eml").read_bytes(), policy=policy.default)
    assert (read["Subject"], read.get_content()) == ("Grüße", "five products\n")


def test_a_mail_delivered_again_replaces_the_first(folder: Path, mail: EmailMessage) -> None:
    put_into_outbox(mail, user=1)
    put_into_outbox(mail, user=1)

    assert [path.name for path in folder.iterdir()] == ["1.eml"]


def test_a_mail_that_cannot_be_written_leaves_nothing_behind(
    folder: Path, mail: EmailMessage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: EmailMessage) -> bytes:
        raise OSError("disk full")

    monkeypatch.setattr(EmailMessage, "as_bytes", full)
    with pytest.raises(OSError, match="disk full"):
        put_into_outbox(mail, user=1)

    assert list(folder.iterdir()) == []


def test_the_outbox_lies_in_the_app_unless_told_otherwise(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OUTBOX", raising=False)

    assert outbox() == app / "outbox"


def test_a_server_gets_the_mail_and_the_outbox_does_not(
    folder: Path, mail: EmailMessage, monkeypatch: pytest.MonkeyPatch
) -> None:
    postbox = Postbox()
    with listening(postbox) as port:
        monkeypatch.setenv("SMTP_URL", f"smtp://127.0.0.1:{port}")
        asyncio.run(deliver(mail, user=1))

    assert [message_from_bytes(content)["Message-ID"] for content in postbox.mails] == ["<01h@marketplace.example>"]
    assert not folder.exists()


def test_a_refusal_by_the_server_is_raised(mail: EmailMessage) -> None:
    mail.replace_header("To", "nobody@marketplace.example")

    with listening(Postbox()) as port, pytest.raises(SMTPRecipientsRefused):
        MailServer.from_url(f"smtp://127.0.0.1:{port}").send(mail)


def test_a_server_that_is_away_is_raised(mail: EmailMessage) -> None:
    with listening(Postbox()) as port:
        server = MailServer.from_url(f"smtp://127.0.0.1:{port}")

    with pytest.raises(ConnectionRefusedError):
        server.send(mail)


def test_starttls_encrypts_before_it_logs_in(mail: EmailMessage, trusted: SSLContext) -> None:
    postbox = Postbox()
    with listening(
        postbox, tls_context=trusted, require_starttls=True, authenticator=check_password, auth_required=True
    ) as port:
        MailServer.from_url(f"smtp+starttls://shop:p%40ss%3Aword@127.0.0.1:{port}").send(mail)

    assert len(postbox.mails) == 1


def test_a_wrong_password_is_raised(mail: EmailMessage, trusted: SSLContext) -> None:
    with (
        listening(Postbox(), tls_context=trusted, authenticator=check_password, auth_required=True) as port,
        pytest.raises(SMTPAuthenticationError),
    ):
        MailServer.from_url(f"smtp+starttls://shop:wrong@127.0.0.1:{port}").send(mail)


def test_smtps_is_encrypted_from_the_first_byte(mail: EmailMessage, trusted: SSLContext) -> None:
    postbox = Postbox()
    with listening(postbox, ssl_context=trusted) as port:
        MailServer.from_url(f"smtps://127.0.0.1:{port}").send(mail)

    assert len(postbox.mails) == 1


def test_a_server_with_an_unknown_certificate_gets_no_mail(mail: EmailMessage, certificate: Path) -> None:
    postbox = Postbox()
    with (
        listening(postbox, tls_context=server_tls(certificate)) as port,
        pytest.raises(SSLCertVerificationError),
    ):
        MailServer.from_url(f"smtp+starttls://127.0.0.1:{port}").send(mail)

    assert postbox.mails == []


@pytest.mark.parametrize(("url", "port"), [("smtp://h", 25), ("smtps://h", 465), ("smtp+starttls://h", 587)])
def test_each_scheme_has_its_usual_port(url: str, port: int) -> None:
    assert MailServer.from_url(url).port == port


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("localhost:25", "unknown scheme"),
        ("http://localhost", "unknown scheme"),
        ("smtp://", "no host"),
        ("smtp://localhost:mail", "valid host and port"),
        ("smtp://localhost:70000", "valid host and port"),
        ("smtp://[::1", "valid host and port"),
        ("smtp://user@localhost", "both a user and a password"),
        ("smtp://user:12/3@localhost", "goes on after the host"),
    ],
)
def test_a_url_that_is_wrong_says_what_is_wrong(url: str, problem: str) -> None:
    with pytest.raises(BadMailServer, match=problem):
        MailServer.from_url(url)


@pytest.mark.parametrize("url", ["smtp://shop:secret#1@localhost", "http://shop:secret@localhost"])
def test_a_wrong_url_never_shows_its_password(url: str) -> None:
    with pytest.raises(BadMailServer) as caught:
        MailServer.from_url(url)

    assert "secret" not in str(caught.value)
