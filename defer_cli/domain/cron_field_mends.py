"""The nearest right form of one part of a cron field that is refused."""

from __future__ import annotations

import re

from defer_cli.domain.cron_grammar import DAY, HOUR, MINUTE, MONTH, WEEKDAY, Breach, Field, read_field

ORDER = "write minute, hour, day of month, month and weekday: '0 8 * * MON'"

_ONCE = {MINUTE: "an hour", HOUR: "a day", DAY: "a month", MONTH: "a year", WEEKDAY: "a week"}
_RANGE = re.compile(r"(?P<first>\w+)-(?P<last>\w+)(?:/(?P<step>\d+))?")
_HASHED = re.compile(r"(?P<letter>[HR])(?:\((?P<range>\d+-\d+)\))?(?P<step>/\d+)?", re.IGNORECASE)
_NTH_WEEKDAY = re.compile(r"(?P<weekday>\w+)#(?P<nth>[1-5])")
_LAST_WEEKDAY = re.compile(r"L(?P<before>[0-7])|(?P<after>[0-7]|[A-Z]{3})L", re.IGNORECASE)
_NEAREST_WEEKDAY = re.compile(r"W?(?P<day>\d{1,2})W?", re.IGNORECASE)


def mend_part(breach: Breach, field: Field) -> tuple[str, str | None]:
    """Return the words before "write", and the part to write when there is a nearest one."""
    part = breach.part
    lead = ""
    piece: str | None
    match breach.kind:
        case "value":
            lead, piece = _instead_of_value(part, breach.culprit, field)
        case "step":
            lead, piece = _instead_of_step(part, int(breach.culprit), field)
        case "descending":
            piece = _ascending(part, field)
        case "start with step":
            piece = _with_range(part, field)
        case _:
            lead, piece = _instead_of_foreign(part, field)
    if piece is None or not is_right_field(piece, field):
        return f"{lead if piece is None and lead else _span(field)}; {ORDER}", None
    return lead, piece


def is_right_field(words: str, field: Field) -> bool:
    """Tell whether ``words`` could stand as ``field``."""
    try:
        return bool(read_field(words, field))
    except Breach:
        return False


def _span(field: Field) -> str:
    words = f"{field.plural} run from {field.low} to {field.high}"
    if field is WEEKDAY:
        words += " (0 and 7 are Sunday)"
    return f"{words}, or from {field.names[0]} to {field.names[-1]}" if field.names else words


def _instead_of_value(part: str, culprit: str, field: Field) -> tuple[str, str]:
    value, lead = int(culprit), f"{_span(field)}; "
    if field is HOUR and part == culprit and value < 48:
        return f"{lead}for {_clock_hour(value - 24)} ", str(value - 24)
    if field is MINUTE and part == culprit and value == 60:
        return f"{lead}for the full hour ", "0"
    nearest = field.low if value < field.low else field.high
    return lead, re.sub(rf"(?<!\d){culprit}(?!\d)", str(nearest), part.partition("/")[0]) + _step_of(part)


def _clock_hour(hour: int) -> str:
    if hour % 12 == 0:
        return "noon" if hour else "midnight"
    return f"{hour % 12} {'p.m.' if hour > 12 else 'a.m.'}"


def _step_of(part: str) -> str:
    return "".join(part.partition("/")[1:])


def _instead_of_step(part: str, step: int, field: Field) -> tuple[str, str]:
    values, lead = part.partition("/")[0], f"steps of {field.plural} run from 1 to {field.span}; "
    if step == 0:
        return f"{lead}for all of them ", values
    if values == "*":
        return f"{lead}for once {_ONCE[field]} ", str(field.low)
    return f"{lead}for the first of them ", values.partition("-")[0]


def _ascending(part: str, field: Field) -> str | None:
    """Return ``22-2`` as ``22-23,0-2``: to the end of the field, and on from its start."""
    match = _RANGE.fullmatch(part)
    assert match is not None
    (first,), (last,) = read_field(match["first"], field), read_field(match["last"], field)
    top = field.low + field.span - 1
    is_named = match["first"].isalpha()
    # 7-2: Sunday is 0 here, and the range ascends
    pieces = [(first, last)] if first <= last else [(first, top), (field.low, last)]
    if match["step"]:
        values = [value for low, high in pieces for value in range(low, high + 1)]
        step = int(match["step"])
        return ",".join(_word(value, field, is_named=is_named) for value in sorted(values[::step])) if step else None
    words = [(_word(low, field, is_named=is_named), _word(high, field, is_named=is_named)) for low, high in pieces]
    return ",".join(low if low == high else f"{low}-{high}" for low, high in words)


def _word(value: int, field: Field, *, is_named: bool) -> str:
    return field.names[value - field.low].upper() if is_named else str(value)


def _with_range(part: str, field: Field) -> str:
    """Return ``5/15`` as ``5-59/15``."""
    start, _, step = part.partition("/")
    (first,) = read_field(start, field)
    if first == field.low and field not in {DAY, WEEKDAY}:  # a star would change the rule of the two day fields
        return f"*/{step}"
    is_named = start.isalpha()
    top = _word(field.low + field.span - 1, field, is_named=is_named)
    return f"{_word(first, field, is_named=is_named)}-{top}/{step}"


def _instead_of_foreign(part: str, field: Field) -> tuple[str, str | None]:
    """Return the nearest form of what other schedulers know: ``?``, ``H``, ``L``, ``W``, ``#``, long names."""
    if part == "?":
        return "", "*"
    hashed = _HASHED.fullmatch(part)
    if hashed:
        if hashed["step"]:
            return f"{hashed['letter']} is not known here; ", f"{hashed['range'] or '*'}{hashed['step']}"
        fixed = hashed["range"].partition("-")[0] if hashed["range"] else str(field.low)
        return f"choose a fixed {field.name}; for the first ", fixed
    for other, place in ((MONTH, "fourth"), (WEEKDAY, "fifth")):
        if field is not other and part[:3].lower() in other.names:
            return f"the names of {other.plural} belong in the {place} field", None
    if field is DAY:
        return _instead_of_day(part)
    if field is WEEKDAY:
        return _instead_of_weekday(part)
    return "", _with_short_names(part) if field.names else None


def _instead_of_day(part: str) -> tuple[str, str | None]:
    if part.upper() == "L":
        return "let the function return unless tomorrow is the 1st, and ", "28-31"
    if part.upper() in {"LW", "WL"}:
        return "let the function return unless it is the last Monday to Friday of the month, and ", "26-31"
    nearest = _NEAREST_WEEKDAY.fullmatch(part)
    if nearest is None:
        return "", None
    day = int(nearest["day"])
    # the 1st on a Saturday goes to Monday, the 3rd: this does not leave the month
    first, last = (1, 3) if day == 1 else (day - 1, min(day + 1, 31))
    return f"let the function return unless it is the weekday nearest to day {day}, and ", f"{first}-{last}"


def _instead_of_weekday(part: str) -> tuple[str, str | None]:
    nth = _NTH_WEEKDAY.fullmatch(part)
    if nth:
        last = int(nth["nth"]) * 7
        days = f"{last - 6} to {min(last, 31)}"
        return f"let the function return unless the day of month is {days}, and ", nth["weekday"]
    final = _LAST_WEEKDAY.fullmatch(part)
    if final:
        lead = "let the function return unless it is in the last 7 days of the month, and "
        return lead, final["before"] or final["after"]
    return "", "SAT" if part.upper() == "L" else _with_short_names(part)


def _with_short_names(part: str) -> str:
    return re.sub(r"[A-Za-z]+", lambda name: name.group()[:3].upper(), part)
