"""Connections to the API of a runner: one request, one answer, and what it means that there is none."""

from __future__ import annotations

from dataclasses import dataclass

import httpx
import msgspec

from defer_cli.client.http_endpoint import Endpoint
from defer_cli.client.routes import ConnectionLost, Unreached
from defer_cli.domain.errors import DeferError, SettingError

_CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 30.0
_IDLE_SECONDS = 30.0
"""Shorter than any server keeps a connection that nothing passes over: a request must not meet its end."""
_MOST_CONNECTIONS = 32
_NOT_LET_IN = (401, 403, 421)
_BUSY = (429, 502, 503, 504)
_LONGEST_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of the API: its status, and its body as it came."""

    status: int
    body: bytes


class Session:
    """Sends requests, from any thread; the process that made it is the only one that may use it."""

    def __init__(self, endpoint: Endpoint, *, transport: httpx.BaseTransport | None = None) -> None:
        self.endpoint = endpoint
        self._client = httpx.Client(
            base_url=endpoint.url,
            headers={"Authorization": endpoint.authorization, "User-Agent": "defer-cli"},
            timeout=httpx.Timeout(ANSWER_SECONDS, connect=_CONNECT_SECONDS),
            limits=httpx.Limits(max_connections=_MOST_CONNECTIONS, keepalive_expiry=_IDLE_SECONDS),
            verify=endpoint.url.startswith("https:"),  # reading the certificates of authorities takes time
            trust_env=not endpoint.is_loopback,  # proxies, and authorities of one's own
            follow_redirects=False,  # the token goes nowhere else
            transport=transport,
        )

    def send(self, method: str, path: str, body: bytes | None = None, *, seconds: float = ANSWER_SECONDS) -> Reply:
        """Send one request and return its answer.

        Raises ``Unreached`` when nobody took it, ``ConnectionLost`` when it may be sent again, and ``SettingError``
        when it is not let in, or what answers is no API of a runner.
        """
        try:
            answer = self._client.request(
                method,
                path,
                content=body,
                headers=None if body is None else {"Content-Type": "application/json"},
                timeout=httpx.Timeout(seconds, connect=_CONNECT_SECONDS),
            )
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise Unreached(
                f"no runner can be reached at {self.endpoint.url}: {_told(error)}",
                mend="start `defer run` there, or set DEFER_ENDPOINT to where it is",
            ) from None
        except httpx.HTTPError as error:
            raise ConnectionLost(f"the runner at {self.endpoint.url} gave no answer: {_told(error)}") from None
        if answer.status_code in _NOT_LET_IN and not _is_ours(answer):
            is_token = answer.status_code == 401
            raise SettingError(
                f"{self.endpoint.url} does not let this process in: {_message(answer)}",
                where="DEFER_TOKEN" if is_token else "DEFER_ENDPOINT",
                mend=f"set {'DEFER_TOKEN to the token' if is_token else 'DEFER_ENDPOINT to an address'} of that runner",
            )
        if answer.is_redirect:
            raise SettingError(
                f"{self.endpoint.url} answers with a redirect to {answer.headers.get('location', '')[:_LONGEST_SHOWN]}",
                where="DEFER_ENDPOINT",
                mend="set it to the address of the runner itself",
            )
        if answer.status_code in _BUSY and not _is_ours(answer):
            raise ConnectionLost(f"{self.endpoint.url} is busy ({answer.status_code})")
        return Reply(answer.status_code, answer.content)

    def strange(self, reply: Reply) -> DeferError:
        """Return the error that stands for an answer that no runner of this version gives."""
        return DeferError(
            f"{self.endpoint.url} answered {reply.status} with what is no answer of this API: "
            f"{reply.body[:_LONGEST_SHOWN].decode(errors='replace')!r}",
            where="DEFER_ENDPOINT",
            mend="set it to the address of a runner, and use one version of defer on both sides",
        )


def _is_ours(answer: httpx.Response) -> bool:
    """Return whether a runner tells an error of its own, which needs no guess."""
    return isinstance(_fields(answer).get("detail"), dict)


def _message(answer: httpx.Response) -> str:
    return f"{_fields(answer).get('message', answer.reason_phrase)} ({answer.status_code})"


def _fields(answer: httpx.Response) -> dict[str, object]:
    try:
        return msgspec.json.decode(answer.content, type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}


def _told(error: Exception) -> str:
    return str(error) or type(error).__name__
