"""Why a cron expression is refused, and the nearest one that is right."""

from __future__ import annotations

import re
from collections.abc import Iterator

from defer_cli.domain.cron_field_mends import ORDER, is_right_field, mend_part
from defer_cli.domain.cron_grammar import (
    FIELDS,
    LONGEST_MONTHS,
    LONGEST_TEXT,
    MINUTE,
    MONTH,
    NICKNAMES,
    Breach,
    Field,
    read_field,
    read_times,
)
from defer_cli.domain.errors import CronError

_LATER_NICKNAMES = {"@every": "*/5 * * * *", "@minutely": "* * * * *", "@every_minute": "* * * * *"}
_WIDEST_SHOWN = 100


def explain(text: str, breach: Breach) -> CronError:
    """Return the error for ``text`` (trimmed), which ``breach`` found to be outside the grammar."""
    if not text:
        return CronError("cron is empty", mend=ORDER)
    match breach.kind:
        case "length":
            problem, mend = _about_length(text)
        case "character":
            problem, mend = _about_character(text, breach.culprit)
        case "nickname":
            problem, mend = _about_nickname(text)
        case "count":
            problem, mend = _about_count(text)
        case "never":
            problem, mend = _about_never(text)
        case _:
            assert breach.field is not None
            problem, mend = _about_field(text, breach, breach.field)
    return CronError(f"cron {problem}: {_cut(text, _WIDEST_SHOWN)!r}", mend=mend)


def _about_length(text: str) -> tuple[str, str]:
    mend = f"use at most {LONGEST_TEXT}; ranges and steps are shorter than lists, so write '0-30/2 * * * *'"
    return f"is {len(text)} characters long", mend


def _about_character(text: str, culprit: str) -> tuple[str, str]:
    import unicodedata

    if culprit in "\r\n":
        problem = "has a newline"
    elif culprit.isascii():
        problem = f"has the control character {culprit!r}"
    else:
        problem = f"has {culprit!r} ({unicodedata.name(culprit, 'no character')}), which is not ASCII"
    plain = " ".join("".join(_in_ascii(character) for character in text).split())
    if _is_right(plain):
        return problem, f"write '{plain}'"
    return problem, f"use ASCII on one line; {ORDER}"


def _in_ascii(character: str) -> str:
    import unicodedata

    if character.isascii():
        return character if character.isprintable() else " "
    category = unicodedata.category(character)
    digit = unicodedata.digit(character, None)
    if digit is not None:
        return str(digit)
    if category == "Pd" or character == "\N{MINUS SIGN}":
        return "-"
    if character == "\N{ASTERISK OPERATOR}":
        return "*"
    if category == "Cf":  # a byte order mark, a zero-width joiner: not seen
        return ""
    return unicodedata.normalize("NFKC", character)


def _about_nickname(text: str) -> tuple[str, str]:
    from difflib import get_close_matches

    words = text.split()
    nickname, lower = words[0], words[0].lower()
    if nickname in NICKNAMES:
        return f"has more than the nickname {nickname}", f"a nickname stands alone: write '{nickname}'"
    problem = f"has no nickname {_cut(nickname, 20)}"
    if lower in NICKNAMES:
        return problem, f"nicknames are lower case: write '{lower}'"
    if lower == "@reboot":
        return problem, "a cron has times only; for once a day write '@daily', for each start: defer run --trigger NAME"
    if lower in _LATER_NICKNAMES:
        span = "five minutes" if lower == "@every" else "minute"
        return problem, f"for every {span} write '{_LATER_NICKNAMES[lower]}'"
    near = get_close_matches(lower, NICKNAMES, n=1)
    known = ", ".join(NICKNAMES)
    return problem, f"write '{near[0]}'" if near else f"the nicknames are {known}; otherwise {ORDER}"


def _about_count(text: str) -> tuple[str, str]:
    fields = text.split()
    count = len(fields)
    problem = f"has {count} field{'s' if count > 1 else ''} instead of 5"
    if f"@{text.lower()}" in NICKNAMES:
        return problem, f"write '@{text.lower()}'"
    joined = re.sub(r" *([,/-]) *", r"\1", " ".join(fields))
    if _is_right(joined):
        return problem, f"a field has no blanks inside: write '{joined}'"
    plain = ["*" if field == "?" else field for field in fields]
    if count < 5:
        padded = " ".join([*plain, *"*" * (5 - count)])
        return problem, f"what is left out is any: write '{padded}'" if count > 1 and _is_right(padded) else ORDER
    return problem, "; ".join(_offers_of_five(plain, is_quartz=count > 6 or "?" in fields)) or ORDER


def _offers_of_five(fields: list[str], *, is_quartz: bool) -> Iterator[str]:
    """Yield the mends that leave out the seconds, which Quartz puts first and others last, a year, or a command."""
    without_first, without_last = " ".join(fields[1:6]), " ".join(fields[:5])
    if _is_right(without_first):
        yield f"without seconds write '{without_first}'"
        if is_quartz:
            return
    if _is_right(without_last):
        yield f"without what follows the weekday write '{without_last}'"


def _about_never(text: str) -> tuple[str, str]:
    fields = text.split()
    first_day, months = min(read_field(fields[2], FIELDS[2])), sorted(read_field(fields[3], MONTH))
    names = [MONTH.names[month - 1].capitalize() for month in months]
    lacks = f"{', '.join(names)} {'have' if len(names) > 1 else 'has'} no day {first_day}"
    # the 29th of February is there in leap years only
    fields[2] = str(max(28 if month == 2 else LONGEST_MONTHS[month] for month in months))
    return f"never fires, for {lacks}", f"for the last day that is there every year write '{' '.join(fields)}'"


def _about_field(text: str, breach: Breach, field: Field) -> tuple[str, str]:
    part, index = breach.part, FIELDS.index(field)
    fields = text.split()
    if not part:
        problem = f"has an empty place in its list of {field.plural}"
        kept = ",".join(item for item in fields[index].split(",") if item) or "*"
        return problem, _written(fields, index, kept, kept) if is_right_field(kept, field) else ORDER
    if breach.kind == "step" and part == fields[index] and index < 2:
        mend = _as_larger_unit(fields, index, int(breach.culprit), field)
        if mend:
            return _problem(breach, field), mend
    lead, piece = mend_part(breach, field)
    if piece is None:
        return _problem(breach, field), lead
    changed = ",".join(piece if item == part else item for item in fields[index].split(","))
    return _problem(breach, field), lead + _written(fields, index, changed, piece, is_brief=breach.kind == "value")


def _problem(breach: Breach, field: Field) -> str:
    part = _cut(breach.part, 40)
    match breach.kind:
        case "value":
            return f"has no {field.name} {_cut(breach.culprit, 20)}"
        case "step":
            return f"has no step {_cut(breach.culprit, 20)} for {field.plural}"
        case "descending":
            return f"has the descending {field.name} range {part}"
        case "start with step":
            return f"has the {field.name} {part}, a step without a range"
        case _:
            return f"has no {field.name} {part!r}"


def _as_larger_unit(fields: list[str], index: int, step: int, field: Field) -> str | None:
    """Return the mend for ``*/120`` as a minute: every two hours."""
    count, rest = divmod(step, field.span)
    if rest or not count or fields[index] != f"*/{step}" or fields[index + 1] != "*":
        return None
    whole = " ".join([*fields[:index], "0", f"*/{count}", *fields[index + 2 :]])
    larger = "hours" if field is MINUTE else "days"
    return f"for every {count} {larger} write '{whole}'" if _is_right(whole) else None


def _written(fields: list[str], index: int, changed: str, piece: str, *, is_brief: bool = False) -> str:
    """Return ``write …``, with the whole expression in quotes when the rest of it is right too."""
    whole = " ".join([*fields[:index], changed, *fields[index + 1 :]])
    if not _is_right(whole):
        return f"write {piece}"
    return f"write '{whole}'" if is_brief else f"write {piece}: '{whole}'"


def _is_right(text: str) -> bool:
    try:
        return bool(read_times(text))
    except Breach:
        return False


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"
