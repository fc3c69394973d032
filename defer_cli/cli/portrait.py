"""One execution as a person reads it: what it is and how it stands, then what went in, came out and happened."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from defer_cli.cli.check import counted
from defer_cli.cli.output import (
    columns_of,
    distance_words,
    exact_words,
    fitted,
    short_distance,
    styled,
    width_of,
)
from defer_cli.cli.tables import show_folded, show_table
from defer_cli.cli.wording import STATE_STYLES, duration_words, metadata_words, moment_in, origin_words
from defer_cli.domain.duration import in_words
from defer_cli.domain.visible import visible

_MOST_LINES = 20
_INDENT = "  "
_QUOTE = "| "  # so that lines of a function's text cannot pass for ours
_WHOLE_TRACEBACK = "\nThe whole traceback:\n"
_WIDEST = 1_000
_LEAST_OF_ERROR = 30
_LABEL = len("discard after")
_OUTCOMES = {
    "succeed": "succeeded",
    "fail": "failed",
    "retry": "failed, retried",
    "interrupt": "interrupted",
    "loss": "lost with its runner",
    "started": "running",
}
_OUTCOME_STYLES = {
    "succeeded": "green",
    "failed": "red",
    "failed, retried": "red",
    "interrupted": "yellow",
    "lost with its runner": "yellow",
    "running": "cyan",
    "aborted": "yellow",
}


def show_portrait(found: Mapping[str, Any]) -> None:
    """Print an execution with all that is known of it, bounded."""
    now = datetime.now(UTC)
    print(_head(found, now))
    for label, text in _facts(found, now):
        if text:
            show_folded(f"  {label:<{_LABEL}}  ", visible(text))
    if len(found["attempts"]) > 1:
        _show_attempts(found["attempts"], now)
    _show_values("arguments", _arguments(found["arguments"]))
    if found["state"] == "succeed":
        _show_values("result", [("", found["result"])])
    _show_error(found)


def _head(found: Mapping[str, Any], now: datetime) -> str:
    name = styled(visible(found["function"]), "bold", sys.stdout)
    state = styled(found["state"], STATE_STYLES[found["state"]], sys.stdout)
    standing = _standing(found, now)
    return f"{name}  {state}{', ' + standing if standing else ''}"


def _standing(found: Mapping[str, Any], now: datetime) -> str:
    """Return what the state alone does not say: what it waits for, how long it runs."""
    scheduled = moment_in(found, "scheduled_at") or now
    if found["state"] == "created":
        waits = "waits for its retry" if found["charged"] else "waits"
        return f"{waits}, due {short_distance(scheduled, now=now)}"
    if found["state"] in {"started", "aborting"}:
        return f"running for {duration_words(found, now=now)}"
    return ""


def _facts(found: Mapping[str, Any], now: datetime) -> Iterator[tuple[str, str]]:
    def time(name: str) -> str:
        moment = moment_in(found, name)
        return "" if moment is None else f"{exact_words(moment)} ({distance_words(moment, now=now)})"

    whole, _, number = found["id"].partition(".")
    yield "id", found["id"]
    yield "came from", origin_words(found)
    yield "metadata", metadata_words(found["metadata"])
    yield "created", time("created_at")
    yield "scheduled", time("scheduled_at")
    yield "discard after", time("discard_after")
    yield "started", _and(time("started_at"), _queue_words(found))
    finished = time("finished_at")
    ran = duration_words(found, now=now)
    yield "finished", _and(finished, f"ran {ran}" if finished and ran else "")
    yield ("attempt", f"{number} of {whole}") if number else ("attempts", _counters(found))
    yield "runner", found["executed_by"] or ""
    yield "children", ", ".join(f"{count:,} {state}" for state, count in sorted(found["children"].items()))


def _and(text: str, more: str) -> str:
    return f"{text}, {more}" if text and more else text


def _queue_words(found: Mapping[str, Any]) -> str:
    started, scheduled = moment_in(found, "started_at"), moment_in(found, "scheduled_at")
    if started is None or scheduled is None or started <= scheduled:
        return ""
    return f"{in_words(started - scheduled)} after it was due"


def _counters(found: Mapping[str, Any]) -> str:
    """Return the counters of an execution in words."""
    if not found["attempt"]:
        return "none yet"
    words = [str(found["attempt"])]
    if found["charged"]:
        words.append(f"{found['charged']} {'retry' if found['charged'] == 1 else 'retries'} used")
    if found["losses"]:
        words.append(f"lost with its runner {counted(found['losses'], 'time')} in a row")
    if found["is_isolated"]:
        words.append("run alone, because its process had died")
    return ", ".join(words)


def _arguments(arguments: Mapping[str, Any]) -> list[tuple[str, Any]]:
    names = [*arguments["names"], *([""] * len(arguments["args"]))]
    given = list(zip(names, arguments["args"], strict=False))
    return given + list(arguments["kwargs"].items())


def _show_values(title: str, values: Sequence[tuple[str, Any]]) -> None:
    if not values:
        return
    print(f"\n{styled(title, 'bold', sys.stdout)}")
    lines = [line for name, value in values for line in _value_lines(name, value)]
    _show_lines(lines, _MOST_LINES)


def _value_lines(name: str, value: Any) -> list[str]:
    lead = f"{name} = " if name else ""
    first, *others = _pretty(value, _room() - columns_of(lead))
    return [lead + first, *others]


def _pretty(value: Any, room: int) -> list[str]:
    """Return JSON data as lines: what fits on one stays on one."""
    is_container = isinstance(value, dict | list) and len(value) > 0
    if not is_container or len(value) <= room:
        text = json.dumps(value, ensure_ascii=False)
        if not is_container or len(text) <= room:
            return [text]
    if isinstance(value, dict):
        begin, end = "{", "}"
        parts = [(f"{json.dumps(name, ensure_ascii=False)}: ", one) for name, one in value.items()]
    else:
        begin, end = "[", "]"
        parts = [("", one) for one in value]
    if all(not isinstance(one, dict | list) for _, one in parts) and isinstance(value, list):
        return [begin, *_filled([text for one in value for text in _pretty(one, room)], room), end]
    lines = [begin]
    for lead, one in parts:
        first, *others = _pretty(one, room - len(_INDENT) - len(lead) - 1)
        lines += [_INDENT + lead + first, *(_INDENT + line for line in others)]
        lines[-1] += ","
    lines[-1] = lines[-1].removesuffix(",")
    return [*lines, end]


def _filled(texts: Sequence[str], room: int) -> list[str]:
    """Return small values as lines that hold as many as fit."""
    lines = [""]
    for position, text in enumerate(texts):
        cell = text if position == len(texts) - 1 else f"{text}, "
        if lines[-1] and len(lines[-1]) + len(cell) > room - len(_INDENT):
            lines.append("")
        lines[-1] += cell
    return [_INDENT + line.rstrip() for line in lines]


def _show_error(found: Mapping[str, Any]) -> None:
    """Print what the execution failed with, or what it is retried for."""
    error, title = found["error"], "error"
    if error is None and found["state"] != "succeed":
        last = next((one for one in reversed(found["attempts"]) if one["error"]), None)
        if last is not None:
            error, title = last["error"], f"error of attempt {last['number']}"
    if error is None:
        return
    print(f"\n{styled(title, 'bold', sys.stdout)}")
    message = f"{error['code']} {error['type']}: {error['message']}"
    _show_lines(message.split("\n"), _MOST_LINES, mark=_QUOTE, style="red")
    if error.get("location"):
        print(f"  at {visible(error['location'])}")
    if error.get("traceback"):
        print()
        own, _, whole = error["traceback"].rstrip("\n").partition(_WHOLE_TRACEBACK)
        more = whole.count("\n") + 1 if whole else 0
        _show_lines(own.rstrip("\n").split("\n"), _MOST_LINES, mark=_QUOTE, more=more)


def _show_lines(lines: Sequence[str], most: int, *, mark: str = "", more: int = 0, style: str | None = None) -> None:
    """Print lines, and how many there are beyond ``most`` and of what is not shown at all (``more``)."""
    room = _room() - len(mark)
    for line in lines[:most]:
        text = fitted(visible(line[: 4 * room]), room)
        print(f"  {mark}{styled(text, style, sys.stdout) if style else text}".rstrip())
    more += max(len(lines) - most, 0)
    if more:
        rest = f"… {counted(more, 'more line')}: --json shows all"
        print("  " + styled(rest, "dim", sys.stdout))


def _room() -> int:
    return (width_of(sys.stdout) or _WIDEST) - 2


def _show_attempts(attempts: Sequence[Mapping[str, Any]], now: datetime) -> None:
    print()
    if attempts[0]["number"] > 1:
        earlier = f"… {counted(attempts[0]['number'] - 1, 'earlier attempt')}: --json shows all"
        print(styled(earlier, "dim", sys.stdout))
    rows = [_attempt_row(one, now) for one in attempts]
    show_table(
        [("attempt", "ended", "started", "ran", "error", "where"), ("attempt", "ended", "ran", "error")],
        lambda number: rows if number == 0 else [(at, ended, ran, error) for at, ended, _, ran, error, _ in rows],
        yielding="error",
        enough=_LEAST_OF_ERROR,
        styles={"ended": _OUTCOME_STYLES},
    )


def _attempt_row(attempt: Mapping[str, Any], now: datetime) -> tuple[str, ...]:
    started = moment_in(attempt, "started_at")
    error = attempt["error"]
    return (
        str(attempt["number"]),
        _OUTCOMES.get(attempt["outcome"], attempt["outcome"]),
        "" if started is None else exact_words(started),
        duration_words(attempt, now=now),
        "" if error is None else f"{error['type']}: {error['message']}"[:_WIDEST],
        "" if error is None else error["location"] or "",
    )
