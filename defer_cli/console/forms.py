"""Forms as browsers send them, without files."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import parse_qsl

from starlette.requests import Request

from defer_cli.domain.duration import parse_when
from defer_cli.domain.errors import SettingError

MOST_FIELDS = 2_000


class Form:
    """The fields of a form, in their order."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self.pairs = pairs

    def one(self, name: str, default: str = "") -> str:
        """Return the last value of a field."""
        return next((value for key, value in reversed(self.pairs) if key == name), default)

    def all(self, name: str) -> list[str]:
        """Return the values of a field that may be there more than once."""
        return [value for key, value in self.pairs if key == name]


async def read_form(request: Request) -> Form:
    """Return what a form holds; raise ``SettingError`` when it is none, or has too many fields."""
    body = await request.body()
    try:
        text = body.decode()
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
    except ValueError:
        raise SettingError(
            "the form cannot be read", where="the body", mend=f"send at most {MOST_FIELDS:,} fields, in UTF-8"
        ) from None
    return Form(pairs)


def moment_in(form: Form, field: str) -> datetime | None:
    """Return the moment that a field names, a span from now or a moment in UTC; None where it is empty."""
    text = form.one(field).strip()
    if not text:
        return None
    now = datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return parse_when(text, where=field, now=now)
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:
        raise SettingError(f"{text} is beyond the calendar", where=field, mend="use an earlier moment") from None
