"""What each block of 256 neighbours in ``seq`` may hold, so that a search can pass over those that hold nothing of it.

An index of every filter would be written at every move. A block is written when it may hold something new, which is
a few times in its life (docs/decisions/008). What it says is a bound: it is only ever widened, and narrowed by
``settle`` alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from sqlite3 import Connection

from defer_cli.domain.execution import ErrorCode
from defer_cli.domain.paging import CAME_FROM
from defer_cli.domain.states import State
from defer_cli.store.sqlite import statements
from defer_cli.store.sqlite.statements import as_list

BLOCK_BITS = 8
SPAN_BITS = 20
"""Moments are kept in units of about a second: a block in use is not written anew at each of its executions."""
_MOST_KNOWN = 8_192
_NEVER = 1 << 62

STATE_BITS = {str(state): 1 << number for number, state in enumerate(State)}
SOURCE_BITS = {source: 1 << number for number, source in enumerate(CAME_FROM)}
CODE_BITS = {str(code): 1 << number for number, code in enumerate(ErrorCode)}
OTHER_CODE = 1 << len(CODE_BITS)
OPEN_STATES = STATE_BITS["created"] | STATE_BITS["started"] | STATE_BITS["aborting"]


class _Block:
    """The bounds of one block; ``due`` is for executions that were due at once, ``later`` for delayed ones."""

    __slots__ = (
        "codes",
        "due_max",
        "due_min",
        "later_max",
        "later_min",
        "runner_max",
        "runner_min",
        "sources",
        "started_max",
        "started_min",
        "states",
    )

    def __init__(self, row: Sequence[int] = (0, 0, 0, _NEVER, -1, _NEVER, -1, _NEVER, -1, _NEVER, -1)) -> None:
        self.states, self.sources, self.codes, self.due_min, self.due_max, self.later_min, self.later_max = row[:7]
        self.started_min, self.started_max, self.runner_min, self.runner_max = row[7:]

    def row(self, number: int) -> tuple[int, ...]:
        """Return it as it is written."""
        return (
            number,
            self.states,
            self.sources,
            self.codes,
            self.due_min,
            self.due_max,
            self.later_min,
            self.later_max,
            self.started_min,
            self.started_max,
            self.runner_min,
            self.runner_max,
        )


class Blocks:
    """The blocks that this owner has widened lately, and which of them the open transaction has to write."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._known: dict[int, _Block] = {}
        self._changed: set[int] = set()
        self._runners: dict[str, int] = {}
        self._settled_up_to = -1
        self._is_settled = False

    def inserted(self, seqs: range, source: str, due_us: tuple[int, int] | None) -> None:
        """Learn of new executions; those that are due at once lie between the two moments ``due_us``."""
        bit, created = SOURCE_BITS[source], STATE_BITS["created"]
        earliest, latest = (_NEVER, -1) if due_us is None else (due_us[0] >> SPAN_BITS, due_us[1] >> SPAN_BITS)
        for number in range(seqs.start >> BLOCK_BITS, ((seqs.stop - 1) >> BLOCK_BITS) + 1):
            block = self._known.get(number) or self._load(number)
            if not (block.states & created and block.sources & bit):
                block.states |= created
                block.sources |= bit
                self._changed.add(number)
            if earliest < block.due_min or latest > block.due_max:
                block.due_min, block.due_max = min(block.due_min, earliest), max(block.due_max, latest)
                self._changed.add(number)

    def scheduled(self, seq: int, scheduled_us: int, *, is_delayed: bool) -> None:
        """Learn of another time of one execution."""
        number, moment = seq >> BLOCK_BITS, scheduled_us >> SPAN_BITS
        block = self._known.get(number) or self._load(number)
        if is_delayed:
            if moment < block.later_min or moment > block.later_max:
                block.later_min, block.later_max = min(block.later_min, moment), max(block.later_max, moment)
                self._changed.add(number)
        elif moment < block.due_min or moment > block.due_max:
            block.due_min, block.due_max = min(block.due_min, moment), max(block.due_max, moment)
            self._changed.add(number)

    def started(self, seqs: Iterable[int], at_us: int, runner: str) -> None:
        """Learn of executions that ``runner`` has started."""
        self._is_settled = False
        bit, moment = STATE_BITS["started"], at_us >> SPAN_BITS
        runner_number = self._number_of(runner)
        for number in {seq >> BLOCK_BITS for seq in seqs}:
            block = self._known.get(number) or self._load(number)
            if (
                block.states & bit
                and block.started_min <= moment <= block.started_max
                and block.runner_min <= runner_number <= block.runner_max
            ):
                continue
            block.states |= bit
            block.started_min, block.started_max = min(block.started_min, moment), max(block.started_max, moment)
            block.runner_min = min(block.runner_min, runner_number)
            block.runner_max = max(block.runner_max, runner_number)
            self._changed.add(number)

    def moved(self, seqs: Iterable[int], state: str, codes: Iterable[str] = ()) -> None:
        """Learn of executions that have entered ``state``."""
        self._is_settled = False
        bit, code_bits = STATE_BITS[state], 0
        for code in codes:
            code_bits |= CODE_BITS.get(code, OTHER_CODE)
        for number in {seq >> BLOCK_BITS for seq in seqs}:
            block = self._known.get(number) or self._load(number)
            if not block.states & bit or block.codes & code_bits != code_bits:
                block.states |= bit
                block.codes |= code_bits
                self._changed.add(number)

    def settle(self, *, limit: int) -> int:
        """Look at up to ``limit`` blocks that may hold what has not ended; return how many hold less than they said."""
        if self._is_settled:
            return 0
        last = self._connection.execute(statements.NEWEST_SEQ).fetchone()[0] or 0
        rows = self._connection.execute(
            statements.BLOCKS_OPEN, (OPEN_STATES, self._settled_up_to, last >> BLOCK_BITS, limit)
        ).fetchall()
        began_at = self._settled_up_to
        self._settled_up_to = rows[-1][0] if len(rows) == limit else -1
        narrowed = 0
        for number, states in rows:
            found = 0
            span = (number << BLOCK_BITS, (number + 1 << BLOCK_BITS) - 1)
            for (state,) in self._connection.execute(statements.BLOCK_STATES, span).fetchall():
                found |= STATE_BITS[state]
            if found != states:
                narrowed += 1
                block = self._known.get(number) or self._load(number)
                block.states = found
                self._changed.add(number)
        self._is_settled = not narrowed and began_at == self._settled_up_to == -1
        return narrowed

    def emptied(self, numbers: set[int]) -> None:
        """Forget those of these blocks that hold nothing any more."""
        empty = self._connection.execute(statements.BLOCKS_EMPTY, (as_list(list(numbers)),)).fetchall()
        self._connection.execute(statements.BLOCKS_FORGET, (as_list([number for (number,) in empty]),))
        for (number,) in empty:
            self._known.pop(number, None)
            self._changed.discard(number)

    def write(self) -> None:
        """Write what has changed into the open transaction."""
        if self._changed:
            rows = [self._known[number].row(number) for number in self._changed]
            self._connection.executemany(statements.BLOCKS_WRITE, rows)
            self._changed.clear()
            if len(self._known) > _MOST_KNOWN:
                self._known.clear()

    def forget(self) -> None:
        """Look at the rows again: the transaction was undone."""
        self._known.clear()
        self._changed.clear()

    def _load(self, number: int) -> _Block:
        row = self._connection.execute(statements.BLOCK, (number,)).fetchone()
        block = self._known[number] = _Block() if row is None else _Block(row)
        return block

    def _number_of(self, runner: str) -> int:
        """Return the number a runner has in the store, 0 for one that did not say it started."""
        number = self._runners.get(runner)
        if number is None:
            row = self._connection.execute(statements.RUNNER_NUMBER, (runner,)).fetchone()
            number = self._runners[runner] = row[0] or 0
        return number
