"""What a message says: as text for people in Slack, as JSON for machines."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from defer_cli.domain.alert import Alert, AlertKind
from defer_cli.domain.arguments import decode_arguments
from defer_cli.domain.duration import in_words
from defer_cli.domain.execution import ErrorCode, rfc3339, to_moment
from defer_cli.domain.function import FunctionSpec
from defer_cli.domain.secrets import masked, masked_under
from defer_cli.domain.visible import visible

LONGEST_LINE = 300
_LONGEST_SHARED = 80
_LONGEST_ARGUMENTS = 1_000
_REASONS = {
    ErrorCode.INTERNAL: "internal error",
    ErrorCode.MAX_DURATION: "ran too long",
    ErrorCode.OUT_OF_MEMORY: "out of memory",
    ErrorCode.RAISED: "raised",
}
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "`": "'"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who tells: the project, its machine, where people reach its console (None: nowhere)."""

    project: str
    machine: str
    url: str | None = None

    def execution_url(self, id: str) -> str | None:
        """Return the page of an execution."""
        return None if self.url is None else f"{self.url}/executions/{id}"

    def failures_url(self, function: str) -> str | None:
        """Return the list of a function's failed executions."""
        return None if self.url is None else f"{self.url}/executions?function={quote(function)}&status=failed"


@dataclass(frozen=True, slots=True)
class Told:
    """An alert as it is told: with the arguments of its execution, masked, where they were asked for."""

    alert: Alert
    sender: Sender
    arguments: dict[str, Any] | None = None


def first_line(text: str) -> str:
    """Return the first line of an error that says something."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return line if len(line) <= LONGEST_LINE else line[: LONGEST_LINE - 1] + "…"


def shown_arguments(stored: bytes, spec: FunctionSpec | None, mask: Sequence[str]) -> dict[str, Any]:
    """Return stored arguments with secrets masked, by the names of the function's parameters as it is now."""
    args, kwargs = decode_arguments(stored)
    names = [""] * len(args) if spec is None else spec.names_of(len(args))
    return {
        "args": [masked_under(name, value, also=mask) for name, value in zip(names, args, strict=True)],
        "kwargs": masked(kwargs, also=mask),
    }


# For people.


def slack_text(told: Sequence[Told]) -> str:
    """Return a message in Slack's markup; nothing that comes from an execution is markup in it."""
    return _alone(told[0]) if len(told) == 1 else _together(told)


def trial_text(sender: Sender) -> str:
    """Return the message that shows that messages arrive."""
    return f"*This is a test.* Alerts of {_who(sender)} arrive here."


def _alone(told: Told) -> str:
    alert, sender = told.alert, told.sender
    facts = alert.facts
    lines = [f"*{_headline(alert)}*"]
    if alert.kind is AlertKind.FAILURE:
        lines.append(f"```{_error(facts, LONGEST_LINE)}```")
        lines.append(" · ".join(_circumstances(alert)))
        if told.arguments is not None:
            lines.append(f"arguments: `{_plain(_one_line(told.arguments))}`")
    elif alert.kind is AlertKind.MISSED_TICK:
        lines.append(f"after {_plain(facts['after'])}, until {_plain(facts['until'])}: {_plain(facts['reason'])}")
    elif alert.kind is AlertKind.RELOAD:
        lines.append(f"changed {_plain(facts['changed'])} → {_plain(facts['outcome'])}")
    lines.append(" · ".join([_who(sender), *_links(told)]))
    return "\n".join(lines)


def _together(told: Sequence[Told]) -> str:
    lines = [f"*{len(told)} alerts* of {_who(told[0].sender)}"]
    for one in told:
        words = f"• {_headline(one.alert)}"
        if one.alert.kind is AlertKind.FAILURE:
            words += f": `{_error(one.alert.facts, _LONGEST_SHARED)}`"
        lines.append(" · ".join([words, *_links(one)]))
    return "\n".join(lines)


def _headline(alert: Alert) -> str:
    name, count = f"`{_plain(alert.function)}()`", alert.count
    span = in_words(timedelta(seconds=round((alert.last_us - alert.first_us) / 1e6)))
    times = f" {count:,} times in {span}" if alert.last_us - alert.first_us >= 1_000_000 else f" {count:,} times"
    if alert.kind is AlertKind.FAILURE:
        return f"{name} failed{times if count > 1 else ''}"
    if alert.kind is AlertKind.RECOVERY:
        failures = alert.facts["failures"]
        since = to_moment(alert.facts["since_us"]).strftime("%Y-%m-%d %H:%M UTC")
        return (
            f"{name} succeeds again, after it failed {'once' if failures == 1 else f'{failures:,} times'} since {since}"
        )
    if alert.kind is AlertKind.SUCCESS:
        return f"{name} succeeded{times if count > 1 else ''}"
    if alert.kind is AlertKind.MISSED_TICK:
        return f"{name} missed ticks{times if count > 1 else ''}"
    return f"Functions were reloaded{times if count > 1 else ''}"


def _error(facts: Mapping[str, Any], most: int) -> str:
    error = facts["error"]
    words = f"{error['type']}: {error['message']}" if error["message"] else error["type"]
    return _plain(words if len(words) <= most else words[: most - 1] + "…")


def _circumstances(alert: Alert) -> list[str]:
    facts = alert.facts
    code = facts["error"]["code"]
    reason = next((words for known, words in _REASONS.items() if known == code), "failed")
    tries = "1 attempt" if facts["attempts"] == 1 else f"{facts['attempts']} attempts, the last one"
    took = in_words(timedelta(microseconds=facts["duration_us"]))
    where = [f"`{_plain(facts['location'])}`"] if facts["location"] else []
    lead = ["the first of them:"] if alert.count > 1 else []
    return [" ".join([*lead, f"{reason} ({_plain(code)})"]), *where, f"{tries} of {took}"]


def _links(told: Told) -> list[str]:
    alert, sender = told.alert, told.sender
    id = alert.facts.get("id")
    if id is None:
        return []
    url = sender.execution_url(id)
    if url is None:
        return [f"`defer show {_plain(id)}`"]
    links = [f"<{url}|see the {'first' if alert.count > 1 else 'execution'}>"]
    if alert.kind is AlertKind.FAILURE and alert.count > 1:
        links.append(f"<{sender.failures_url(alert.function)}|see all>")
    return links


def _who(sender: Sender) -> str:
    return f"{_plain(sender.project)} on {_plain(sender.machine)}"


def _one_line(arguments: Mapping[str, Any]) -> str:
    texts = [json.dumps(value, ensure_ascii=False) for value in arguments["args"]]
    texts += [f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in arguments["kwargs"].items()]
    line = ", ".join(texts)
    return line if len(line) <= _LONGEST_ARGUMENTS else line[: _LONGEST_ARGUMENTS - 1] + "…"


def _plain(text: object) -> str:
    """Return a text that is no markup: Slack reads ``<!channel>`` and ``<https://…|…>``, and names them with entities.

    Backticks would end the code it is shown as.
    """
    return visible(str(text)).translate(_ENTITIES)


# For machines.


def webhook_body(told: Sequence[Told]) -> bytes:
    """Return a message as JSON; the same alerts give the same bytes."""
    kinds = {one.alert.kind for one in told}
    kind = str(next(iter(kinds))) if len(kinds) == 1 else "several"
    moment = max(one.alert.last_us for one in told)
    return _body(kind, moment, told[0].sender, [_as_data(one) for one in told])


def trial_body(sender: Sender, *, at_us: int) -> bytes:
    """Return the message that shows that messages arrive."""
    return _body("test", at_us, sender, [])


def _body(kind: str, at_us: int, sender: Sender, alerts: list[dict[str, Any]]) -> bytes:
    data = {"project": sender.project, "machine": sender.machine, "alerts": alerts}
    text = json.dumps({"type": f"alert.{kind}", "timestamp": _iso(at_us), "data": data}, ensure_ascii=False)
    return text.encode("utf-8", "replace")


def _as_data(told: Told) -> dict[str, Any]:
    alert = told.alert
    facts = dict(alert.facts)
    data: dict[str, Any] = {
        "kind": str(alert.kind),
        "function": alert.function or None,
        "count": alert.count,
        "first_at": _iso(alert.first_us),
        "last_at": _iso(alert.last_us),
    }
    if "since_us" in facts:
        data |= {"failures": facts.pop("failures"), "since": _iso(facts.pop("since_us"))}
    id = facts.pop("id", None)
    if id is None:
        return data | facts
    duration_us = facts.pop("duration_us")
    execution = {"id": id, "url": told.sender.execution_url(id), "duration_seconds": duration_us / 1e6, **facts}
    if told.arguments is not None:
        execution["arguments"] = told.arguments
    return data | {"execution": execution}


def _iso(at_us: int) -> str:
    return rfc3339(to_moment(at_us), timespec="milliseconds")
