"""The errors of the API, by status: what each says of the request."""

from __future__ import annotations

from collections.abc import Mapping

from defer_cli.api.openapi_parts.envelopes import Failure
from defer_cli.api.openapi_parts.words import JSON, Answer


def _fault(description: str, **headers: str) -> Answer:
    named = {name.replace("_", "-"): told for name, told in headers.items()}
    return Answer(description=description, content={JSON: Failure}, headers=named)


FAULTS: Mapping[int, Answer] = {
    400: _fault("The request is not as it must be; the message names the field."),
    401: _fault("The token is missing or wrong.", WWW_Authenticate="The scheme to use: `Basic`."),
    403: _fault("The host is not one of those served, or a page of another site asks for a change."),
    404: _fault("There is no such execution, or no such attempt."),
    408: _fault("The request did not come in time; the connection is closed."),
    409: _fault("It does not go with the state the execution is in, or with what is stored under its id."),
    413: _fault("The body is over 1 MiB and 64 KiB, or the arguments are over 1 MiB."),
    414: _fault("The address is over 8 KiB; the connection is closed."),
    431: _fault("The headers are over 32 KiB; the connection is closed."),
    500: _fault("A fault of ours: the log of the runner says what."),
    503: _fault("The store takes nothing now, or too much is asked for at once; try again."),
    507: _fault("The disk is full; what is stored is safe, and what runs goes on."),
}
EVERYWHERE = (400, 403, 408, 413, 414, 431, 500, 503, 507)
"""Statuses that any request may be answered with, before or instead of what it asks for."""
