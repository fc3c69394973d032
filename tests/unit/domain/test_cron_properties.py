"""Ten thousand crons against a day-by-day scanner written from man 5 crontab, and against cronsim."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import product
from random import Random

import pytest
from cronsim import CronSim

from defer_cli.domain.cron import Cron
from defer_cli.domain.errors import CronError

LOWEST, HIGHEST = (0, 0, 1, 1, 0), (59, 23, 31, 12, 7)
NAMES = (
    (),
    (),
    (),
    ("", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"),
    ("sun", "mon", "tue", "wed", "thu", "fri", "sat"),
)
FIRST, LAST = date(1930, 1, 1), date(2170, 12, 31)
CALENDAR = [  # (month, day, weekday from Sunday = 0) of each day from FIRST to LAST
    (day.month, day.day, day.isoweekday() % 7)
    for day in map(date.fromordinal, range(FIRST.toordinal(), LAST.toordinal() + 1))
]
KINDS_OF_DAYS = sorted(set(CALENDAR))


@dataclass(frozen=True)
class Scanner:
    """Goes through the calendar day by day; a day of the month or a weekday is enough unless a field has a star."""

    times: list[int]  # minutes since midnight
    days: set[int]
    months: set[int]
    weekdays: set[int]
    both: bool

    @classmethod
    def of(cls, text: str) -> Scanner:
        fields = text.lower().split()
        minutes, hours, days, months, weekdays = (values(words, index) for index, words in enumerate(fields))
        return cls(
            times=sorted(hour * 60 + minute for hour in hours for minute in minutes),
            days=days,
            months=months,
            weekdays={weekday % 7 for weekday in weekdays},
            both=fields[2][0] == "*" or fields[4][0] == "*",
        )

    def fires_on(self, month: int, day: int, weekday: int) -> bool:
        if month not in self.months:
            return False
        if self.both:
            return day in self.days and weekday in self.weekdays
        return day in self.days or weekday in self.weekdays

    def next(self, after: datetime) -> datetime:
        index, minute = place(after)
        position = bisect_right(self.times, minute)
        if position < len(self.times) and self.fires_on(*CALENDAR[index]):
            return moment(index, self.times[position])
        index += 1
        while not self.fires_on(*CALENDAR[index]):
            index += 1
        return moment(index, self.times[0])

    def previous(self, before: datetime) -> datetime:
        index, minute = place(before)
        position = bisect_left(self.times, minute) - 1
        if position >= 0 and self.fires_on(*CALENDAR[index]):
            return moment(index, self.times[position])
        index -= 1
        while not self.fires_on(*CALENDAR[index]):
            index -= 1
        return moment(index, self.times[-1])

    def meaning(self) -> tuple[object, ...]:
        """All kinds of days it fires on; each day of the year, the 29th of February too, falls on each weekday."""
        return tuple(self.times), tuple(kind for kind in KINDS_OF_DAYS if self.fires_on(*kind))


def values(words: str, index: int) -> set[int]:
    found: set[int] = set()
    for part in words.split(","):
        span, _, step = part.partition("/")
        low, _, high = span.partition("-")
        if low == "*":
            low, high = str(LOWEST[index]), str(HIGHEST[index])
        first = number(low, index)
        found.update(range(first, (number(high, index) if high else first) + 1, int(step or 1)))
    return found


def number(word: str, index: int) -> int:
    return NAMES[index].index(word) if word in NAMES[index] else int(word)


def place(moment: datetime) -> tuple[int, int]:
    return moment.toordinal() - FIRST.toordinal(), moment.hour * 60 + moment.minute


def moment(index: int, minute: int) -> datetime:
    midnight = datetime.fromordinal(FIRST.toordinal() + index).replace(tzinfo=UTC)
    return midnight + timedelta(minutes=minute)


def random_field(dice: Random, index: int) -> str:
    return ",".join(random_part(dice, index) for _ in range(dice.choice((1, 1, 1, 2, 3))))


def random_part(dice: Random, index: int) -> str:
    low, high = LOWEST[index], HIGHEST[index]
    kind = dice.choice(("star", "star", "number", "number", "number", "range", "step", "range step"))
    step = f"/{dice.randint(1, 7 if index == 4 else high - low + 1)}" if "step" in kind else ""
    if kind in {"star", "step"}:
        return f"*{step}"
    first, last = sorted((dice.randint(low, high), dice.randint(low, high)))
    if kind == "number":
        return spelled(dice, index, first)
    return f"{spelled(dice, index, first)}-{spelled(dice, index, last)}{step}"


def spelled(dice: Random, index: int, value: int) -> str:
    if index in {3, 4} and value < len(NAMES[index]) and dice.random() < 0.3:
        return dice.choice((str.lower, str.upper, str.title))(NAMES[index][value])
    return str(value)


def random_crons(dice: Random, count: int) -> list[Cron]:
    """Return crons that fire; what the reader says never to fire is asked of the scanner."""
    crons: list[Cron] = []
    while len(crons) < count:
        text = " ".join(random_field(dice, index) for index in range(5))
        try:
            crons.append(Cron.parse(text))
        except CronError:
            scanner = Scanner.of(text)
            assert not any(scanner.fires_on(*kind) for kind in KINDS_OF_DAYS), text
    return crons


def random_moment(dice: Random) -> datetime:
    start = datetime(1985, 1, 1, tzinfo=UTC)
    minutes = dice.randrange(125 * 366 * 24 * 60)
    fraction = dice.choice((0, 0, 1, 59_999_999, dice.randrange(60_000_000)))
    return start + timedelta(minutes=minutes, microseconds=fraction)


def test_ten_thousand_crons_agree_with_the_scanner() -> None:
    dice = Random(2026)
    for cron in random_crons(dice, 10_000):
        scanner, start = Scanner.of(cron.text), random_moment(dice)
        has_seconds = bool(start.second or start.microsecond)
        tick = cron.next(start)
        assert tick == scanner.next(start), (cron, start)
        before = cron.previous(start)
        assert before == scanner.previous(start + timedelta(minutes=has_seconds)), (cron, start)
        # inverses: no tick lies between the two, but for the start itself
        assert cron.previous(tick) in {before, start}, (cron, start)
        assert cron.next(before) in {tick, start}, (cron, start)


def test_crons_agree_with_cronsim() -> None:
    dice, asked = Random(7), 0
    for cron in random_crons(dice, 2_500):
        if re.search(r"\b(\w+)-\1/", spelled_in_numbers(cron.text)):
            continue  # cronsim reads 5-5/2 as 5-59/2
        start = random_moment(dice)
        assert next(CronSim(cron.text, start)) == cron.next(start), (cron, start)
        assert next(CronSim(cron.text, start, reverse=True)) == cron.previous(start), (cron, start)
        asked += 1

    assert asked > 2_000


def spelled_in_numbers(text: str) -> str:
    fields = text.lower().split()
    for index in (3, 4):
        words = re.split(r"\b", fields[index])
        fields[index] = "".join(str(number(word, index)) if word.isalpha() else word for word in words)
    return " ".join(fields)


def test_canonical_forms_are_equal_exactly_when_the_meanings_are() -> None:
    dice = Random(11)
    days = ["*", "*/2", "*/31", "1", "29", "30", "31", "1-29", "1-30", "1-31", "2,3", "29-31", "1,*", "*,5", "1-31/2"]
    months = ["*", "2", "feb", "4,6", "1-12", "2,4", "1,2", "*/6", "1,7", "4"]
    weekdays = ["*", "*/7", "*/2", "0", "7", "sun", "0-6", "1-7", "1", "mon,3", "*,1", "1,*", "0,2-6/2", "*/1"]
    meanings: dict[tuple[object, ...], str] = {}
    forms: dict[str, tuple[object, ...]] = {}
    for day, month, weekday in dice.sample(list(product(days, months, weekdays)), 1_200):
        text = f"0 0 {day} {month} {weekday}"
        meaning = Scanner.of(text).meaning()
        try:
            form = Cron.parse(text).canonical
        except CronError:
            assert meaning == ((0,), ()), text
            continue
        assert meanings.setdefault(meaning, form) == form, text
        assert forms.setdefault(form, meaning) == meaning, text

    assert len(meanings) < 800


def test_a_canonical_form_is_an_expression_of_the_same_meaning() -> None:
    for cron in random_crons(Random(3), 2_000):
        assert Cron.parse(cron.canonical).canonical == cron.canonical
        assert Scanner.of(cron.canonical).times == Scanner.of(cron.text).times


def test_every_schedule_can_be_said_in_words() -> None:
    for cron in random_crons(Random(4), 1_000):
        assert re.fullmatch(r"[\x20-\x7e]+", cron.describe())
        assert "*" not in cron.describe()


@pytest.mark.parametrize("text", ["* * * * *", "0 8 * * 1", "0 0 29 2 *", "30 4 1,15 * 5", "*/7 3-9 */3 * 1-5"])
def test_walking_forth_and_back_meets_the_same_ticks(text: str) -> None:
    cron, start = Cron.parse(text), datetime(2019, 12, 30, 23, 59, tzinfo=UTC)
    forth = [cron.next(start)]
    while len(forth) < 300:
        forth.append(cron.next(forth[-1]))
    back = [forth[-1]]
    while len(back) < 300:
        back.append(cron.previous(back[-1]))

    assert back == forth[::-1]
