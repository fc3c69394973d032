"""What is refused as a cron, and that every mend is right."""

from __future__ import annotations

import re
from random import Random

import pytest

from defer_cli.domain.cron import Cron
from defer_cli.domain.cron_grammar import FIELDS, read_field
from defer_cli.domain.errors import CronError


def refusal(text: object) -> CronError:
    with pytest.raises(CronError) as caught:
        Cron.parse(text)
    return caught.value


REFUSALS = [
    # what is not five fields
    (None, "cron is not a string but of type NoneType", "write five fields in quotes: '0 8 * * MON'"),
    (b"0 8 * * 1", "cron is not a string but of type bytes", "'0 8 * * MON'"),
    (5, "cron is not a string but of type int", "'0 8 * * MON'"),
    ("", "cron is empty", "write minute, hour, day of month, month and weekday: '0 8 * * MON'"),
    (" \t", "cron is empty", "'0 8 * * MON'"),
    ("0 8 * *", "cron has 4 fields instead of 5", "write '0 8 * * *'"),
    ("8", "cron has 1 field instead of 5", "'0 8 * * MON'"),
    ("daily", "cron has 1 field instead of 5", "write '@daily'"),
    ("0 0 8 * * 1", "cron has 6 fields instead of 5", "without seconds write '0 8 * * 1'"),
    ("0 8 * * 1 2026", "cron has 6 fields instead of 5", "without what follows the weekday write '0 8 * * 1'"),
    ("* * * * * */15", "cron has 6 fields instead of 5", "write '* * * * *'"),
    ("0 0 12 ? * MON 2026", "cron has 7 fields instead of 5", "without seconds write '0 12 * * MON'"),
    ("0 8 * * 1 root /bin/x", "cron has 7 fields instead of 5", "write '0 8 * * 1'"),
    ("0 8 * * MON, TUE", "cron has 6 fields instead of 5", "a field has no blanks inside: write '0 8 * * MON,TUE'"),
    ("0," * 124 + "1 * * * *", "cron is 257 characters long: '0,0,", "use at most 256"),
    # nicknames
    ("@reboot", "cron has no nickname @reboot", "for once a day write '@daily'"),
    ("@Weekly", "cron has no nickname @Weekly", "nicknames are lower case: write '@weekly'"),
    ("@dayly", "cron has no nickname @dayly", "write '@daily'"),
    ("@every 5m", "cron has no nickname @every", "for every five minutes write '*/5 * * * *'"),
    ("@reb", "cron has no nickname @reb", "the nicknames are @yearly, @annually"),
    ("@daily 5", "cron has more than the nickname @daily", "write '@daily'"),
    # characters
    ("0 8 * * 1\n", "cron has a newline", "write '0 8 * * 1'"),
    ("0 8\n* * 1", "cron has a newline", "write '0 8 * * 1'"),
    ("0 8 * * 1\n0 9 * * 1", "cron has a newline", "use ASCII on one line"),
    ("0 8 * * 1\x00", "cron has the control character '\\x00'", "write '0 8 * * 1'"),
    ("0\N{NO-BREAK SPACE}8 * * 1", "cron has '\\xa0' (NO-BREAK SPACE), which is not ASCII", "write '0 8 * * 1'"),
    ("\N{ARABIC-INDIC DIGIT FIVE} 8 * * 1", "(ARABIC-INDIC DIGIT FIVE), which is not ASCII", "write '5 8 * * 1'"),
    ("\N{FULLWIDTH DIGIT FIVE} 8 * * 1", "(FULLWIDTH DIGIT FIVE), which is not ASCII", "write '5 8 * * 1'"),
    ("0 8 * * 1\N{EN DASH}5", "(EN DASH), which is not ASCII", "write '0 8 * * 1-5'"),
    ("\N{ZERO WIDTH NO-BREAK SPACE}0 8 * * 1", "(ZERO WIDTH NO-BREAK SPACE)", "write '0 8 * * 1'"),
    ("0 8 \N{ASTERISK OPERATOR} * 1", "(ASTERISK OPERATOR)", "write '0 8 * * 1'"),
    # numbers out of range
    ("0 25 * * *", "cron has no hour 25: '0 25 * * *'", "hours run from 0 to 23; for 1 a.m. write '0 1 * * *'"),
    ("0 24 * * *", "cron has no hour 24", "for midnight write '0 0 * * *'"),
    ("0 36 * * *", "cron has no hour 36", "for noon write '0 12 * * *'"),
    ("0 0-24 * * *", "cron has no hour 24", "hours run from 0 to 23; write '0 0-23 * * *'"),
    ("60 * * * *", "cron has no minute 60", "minutes run from 0 to 59; for the full hour write '0 * * * *'"),
    ("0 0 0 * *", "cron has no day of month 0", "days of month run from 1 to 31; write '0 0 1 * *'"),
    ("0 0 * 13 *", "cron has no month 13", "months run from 1 to 12, or from jan to dec; write '0 0 * 12 *'"),
    ("0 0 * * 8", "cron has no weekday 8", "weekdays run from 0 to 7 (0 and 7 are Sunday), or from sun to sat; write"),
    ("9" * 200 + " 8 * * *", "cron has no minute 9999999999999999999…: ", "minutes run from 0 to 59"),
    # ranges and steps
    ("5/15 * * * *", "cron has the minute 5/15, a step without a range", "write 5-59/15: '5-59/15 * * * *'"),
    ("0/15 * * * *", "cron has the minute 0/15, a step without a range", "write */15: '*/15 * * * *'"),
    ("0 0 13 * 0/2", "cron has the weekday 0/2, a step without", "write 0-6/2: '0 0 13 * 0-6/2'"),
    ("0 0 * * MON/2", "cron has the weekday MON/2, a step without", "write MON-SAT/2: '0 0 * * MON-SAT/2'"),
    ("0 22-2 * * *", "cron has the descending hour range 22-2", "write 22-23,0-2: '0 22-23,0-2 * * *'"),
    ("0 22-2/2 * * *", "cron has the descending hour range 22-2/2", "write 0,2,22: '0 0,2,22 * * *'"),
    ("0 0 * * FRI-MON", "cron has the descending weekday range FRI-MON", "write FRI-SAT,SUN-MON: '0 0 * * FRI-SAT"),
    ("0 0 * * fri-sun", "cron has the descending weekday range fri-sun", "write FRI-SAT,SUN: '0 0 * * FRI-SAT,SUN'"),
    ("0 0 * * 7-2", "cron has the descending weekday range 7-2", "write 0-2: '0 0 * * 0-2'"),
    (
        "0 0 * nov-feb *",
        "cron has the descending month range nov-feb",
        "write NOV-DEC,JAN-FEB: '0 0 * NOV-DEC,JAN-FEB *'",
    ),
    ("0 0 25-5 * *", "cron has the descending day of month range 25-5", "write 25-31,1-5: '0 0 25-31,1-5 * *'"),
    ("*/0 * * * *", "cron has no step 0 for minutes", "steps of minutes run from 1 to 60; for all of them write *: "),
    ("*/61 * * * *", "cron has no step 61 for minutes", "run from 1 to 60; for once an hour write 0: '0 * * * *'"),
    ("*/120 * * * *", "cron has no step 120 for minutes", "for every 2 hours write '0 */2 * * *'"),
    ("0 */48 * * *", "cron has no step 48 for hours", "for every 2 days write '0 0 */2 * *'"),
    ("0 9-17/30 * * *", "cron has no step 30 for hours", "for the first of them write 9: '0 9 * * *'"),
    ("0 0 * * */8", "cron has no step 8 for weekdays", "steps of weekdays run from 1 to 7; for once a week write 0"),
    # what other schedulers know
    ("0 0 L * *", "cron has no day of month 'L'", "unless tomorrow is the 1st, and write 28-31: '0 0 28-31 * *'"),
    ("0 0 LW * *", "cron has no day of month 'LW'", "write 26-31: '0 0 26-31 * *'"),
    ("0 0 15W * *", "cron has no day of month '15W'", "write 14-16: '0 0 14-16 * *'"),
    ("0 0 1W * *", "cron has no day of month '1W'", "write 1-3: '0 0 1-3 * *'"),
    ("0 0 ? * MON", "cron has no day of month '?'", "write *: '0 0 * * MON'"),
    ("0 0 * * 5#3", "cron has no weekday '5#3'", "unless the day of month is 15 to 21, and write 5: '0 0 * * 5'"),
    ("0 0 * * FRIL", "cron has no weekday 'FRIL'", "in the last 7 days of the month, and write FRI: '0 0 * * FRI'"),
    ("0 0 * * L", "cron has no weekday 'L'", "write SAT: '0 0 * * SAT'"),
    ("H 8 * * *", "cron has no minute 'H'", "choose a fixed minute; for the first write 0: '0 8 * * *'"),
    ("H/15 * * * *", "cron has no minute 'H/15'", "write */15: '*/15 * * * *'"),
    ("H(10-29)/10 8 * * *", "cron has no minute 'H(10-29)/10'", "write 10-29/10: '10-29/10 8 * * *'"),
    ("R(3-9) 8 * * *", "cron has no minute 'R(3-9)'", "write 3: '3 8 * * *'"),
    # words and the rest
    ("0 8 * * MONDAY-friday", "cron has no weekday 'MONDAY-friday'", "write MON-FRI: '0 8 * * MON-FRI'"),
    ("0 8 * January *", "cron has no month 'January'", "write JAN: '0 8 * JAN *'"),
    ("0 8 * * JAN", "cron has no weekday 'JAN'", "the names of months belong in the fourth field"),
    ("0 8 MON * *", "cron has no day of month 'MON'", "the names of weekdays belong in the fifth field"),
    ("0 noon * * *", "cron has no hour 'noon'", "hours run from 0 to 23"),
    ("0 0 * * FOO", "cron has no weekday 'FOO'", "weekdays run from 0 to 7"),
    ("1,,2 * * * *", "cron has an empty place in its list of minutes", "write 1,2: '1,2 * * * *'"),
    (", * * * *", "cron has an empty place in its list of minutes", "write *: '* * * * *'"),
    ("-5 * * * *", "cron has no minute '-5'", "minutes run from 0 to 59"),
    ("5.5 * * * *", "cron has no minute '5.5'", "minutes run from 0 to 59"),
    ("** * * * *", "cron has no minute '**'", "minutes run from 0 to 59"),
    ("*-5 * * * *", "cron has no minute '*-5'", "minutes run from 0 to 59"),
    ("1-2-3 * * * *", "cron has no minute '1-2-3'", "minutes run from 0 to 59"),
    ("*/5/2 * * * *", "cron has no minute '*/5/2'", "minutes run from 0 to 59"),
    # never
    ("0 0 31 2 *", "cron never fires, for Feb has no day 31: '0 0 31 2 *'", "write '0 0 28 2 *'"),
    ("0 0 30 feb *", "cron never fires, for Feb has no day 30", "write '0 0 28 feb *'"),
    ("0 0 31 2,4,jun *", "cron never fires, for Feb, Apr, Jun have no day 31", "write '0 0 30 2,4,jun *'"),
    ("0 0 31 2 */2", "cron never fires, for Feb has no day 31", "write '0 0 28 2 */2'"),
]


@pytest.mark.parametrize(("text", "problem", "mend"), REFUSALS)
def test_a_refusal_says_what_is_wrong_and_how_to_mend_it(text: object, problem: str, mend: str) -> None:
    error = refusal(text)

    assert problem in error.problem
    assert mend in str(error.mend)


@pytest.mark.parametrize("text", [text for text, _, _ in REFUSALS])
def test_what_a_mend_says_to_write_is_right(text: object) -> None:
    assert_mend_is_right(str(refusal(text).mend))


def test_only_the_part_is_offered_when_the_rest_is_wrong_too() -> None:
    assert refusal("5/15 25 * * *").mend == "write 5-59/15"


def test_a_mend_for_one_part_of_a_list_keeps_the_others() -> None:
    assert refusal("0 8,22-2 * * *").mend == "write 22-23,0-2: '0 8,22-23,0-2 * * *'"


def test_junk_is_refused_with_a_right_mend_whatever_it_is() -> None:
    dice = Random(5)
    pieces = [*"0123456789*/-,#?LWHR@ \t\n()", "MON", "jan", "FRIDAY", "5-1", "99", "/0", "é", "٣", "\ud800", "* * * *"]
    refused = 0
    for _ in range(20_000):
        text = "".join(dice.choices(pieces, k=dice.randint(0, 12)))
        if dice.random() < 0.7:
            text = " ".join("".join(dice.choices(pieces[:23], k=dice.randint(1, 4))) for _ in range(5))
        try:
            Cron.parse(text)
        except CronError as error:
            refused += 1
            assert_mend_is_right(str(error.mend))

    assert refused > 15_000


def assert_mend_is_right(mend: str) -> None:
    for whole in re.findall(r"'([^']*)'", mend):
        Cron.parse(whole)
    for piece in re.findall(r"write ([^'\s]+)(?:: '|$)", mend):
        assert any(is_right_field(piece, index) for index in range(5)), mend


def is_right_field(piece: str, index: int) -> bool:
    try:
        return bool(read_field(piece, FIELDS[index]))
    except Exception:
        return False
