"""What every store can do: plain synchronous methods, one named statement each; one writer calls them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from msgspec import Struct

from defer_cli.domain.alert import Undelivered
from defer_cli.domain.enqueue import Enqueue, Refused, Stored
from defer_cli.domain.execution import Attempt, Execution
from defer_cli.domain.function import AtLimit
from defer_cli.domain.log_chunk import LogChunk
from defer_cli.domain.paging import Filters
from defer_cli.domain.retention import Round
from defer_cli.domain.settle import Move, Running
from defer_cli.domain.states import State
from defer_cli.store.figures import Figures
from defer_cli.store.health import Health
from defer_cli.store.outbox import Outbox


class Limit(Struct, frozen=True):
    """How many of a function may run at once (None: no limit), and what becomes of the others."""

    concurrency: int | None = None
    action: AtLimit = "keep"


class Ending(Struct, frozen=True):
    """An execution that left the queue without running: cancelled or discarded in a claim."""

    seq: int
    id: str
    function: str
    state: State


class Claim(Struct):
    """What a claim took, in the order of the queue, and what it ended on its way."""

    started: list[Running]
    ended: list[Ending]
    next_due_us: int | None = None
    """When the next execution is due that this claim left because its time has not come; None: none known."""
    isolated: int = 0
    """How many of those started are to be run isolated."""
    begun: int = 0
    """How many of those started its transaction has stored as started (``Taker``)."""


class Taker(Struct, frozen=True):
    """Who takes what is due: up to ``limit`` executions of ``functions`` for ``runner``."""

    limit: int
    runner: str
    functions: Mapping[str, Limit]


class Tick(Struct, frozen=True):
    """One instant of a cron that is to be run: the execution it makes."""

    function: str
    canonical: str
    tick_us: int
    call: Enqueue


class Gap(Struct, frozen=True):
    """Ticks of a cron that were not run one by one: after ``after_us``, until ``until_us``, and why."""

    function: str
    canonical: str
    after_us: int
    until_us: int
    reason: str


class Mark(Struct, frozen=True):
    """The last tick of a cron that was considered; it only finds gaps, the tick's row prevents repeats."""

    function: str
    canonical: str
    mark_us: int


class LogLine(Struct, frozen=True):
    """One line of an attempt."""

    attempt: int
    at_us: int
    stream: str
    text: str


class LogPart(Struct, frozen=True):
    """Lines of one attempt that came together; the parts of an attempt are numbered as they come."""

    attempt: int
    number: int
    lines: list[LogLine]


class Found(Struct, frozen=True):
    """Executions with their places in the list, newest first; ``stopped_at``: time ran out there, more may follow."""

    items: list[tuple[int, Execution]]
    stopped_at: int | None = None


class Pruned(Struct, frozen=True):
    """What one step of pruning deleted, and the place to go on from; None: it has seen everything.

    ``reached_us``: when the last execution was made that it looked at; None: there was none.
    """

    deleted: int
    next_seq: int | None
    reached_us: int | None


class Waiting(Struct, frozen=True):
    """What waits of a function: ``due``, due ``later``, and ``unsure`` where too many are of either kind to tell."""

    due: int
    later: int
    unsure: int = 0


class RunnerRecord(Struct, frozen=True):
    """What a runner left of itself; ``stopped_us`` is None while it lives, and when it was killed."""

    name: str
    pid: int
    version: str
    started_us: int
    stopped_us: int | None


class Store(Health, Protocol):
    """The writing side: one owner, one connection. Every moment is microseconds since 1970."""

    @property
    def outbox(self) -> Outbox:
        """Alerts on their way."""

    def now(self) -> int:
        """Return the store's clock."""

    def transaction(self, on_written: Callable[[], None] | None = None) -> AbstractContextManager[None]:
        """Begin, then commit at the end of the block, or roll back when it raises. Blocks do not nest.

        It is on disk when the block is left; ``on_written`` is called before, once only a loss of power can undo it.
        In-memory hints and counters follow the transaction: a rollback undoes them too.
        """

    def savepoint(self) -> AbstractContextManager[None]:
        """Inside a transaction: undo only this block when it raises."""

    def insert(self, calls: Sequence[Enqueue], *, taker: Taker | None = None) -> list[Stored | Refused]:
        """Store calls, one result each; an id that exists answers with its execution, or is refused when the
        function or the arguments differ. Arguments are compared in their hashed form.

        Calls that a claim of ``taker`` would start next may be stored as started. The claim that the same transaction
        must make then returns them among the others, and counts them: what it comes to is the same, at less cost.
        """

    def claim(self, *, limit: int, isolated: int = 0, runner: str, functions: Mapping[str, Limit]) -> Claim:
        """Start up to ``limit`` due executions of ``functions``, by (scheduled, seq); locks what it counts.

        Those to be run isolated do not count among them: up to ``isolated`` of them are started. They hold up no others
        but those of a function that runs one at a time.

        A change of ``functions`` is seen when it is another object than that of the last claim.
        """

    def apply(self, moves: Sequence[Move]) -> list[bool]:
        """Write moves of attempts, each guarded by its attempt and source state; False: refused, nothing written."""

    def get(self, id: str) -> Execution | None:
        """Return one execution, what the open transaction has changed of it included."""

    def rerun(self, id: str, new_id: str) -> bool:
        """Insert a new execution of the same function, arguments and metadata; False when there is no ``id``.

        Asked for twice with one ``new_id`` it is one execution.
        """

    def prune(self, *, before_us: int, from_seq: int, limit: int, most: int | None = None) -> Pruned:
        """Delete up to ``most`` executions that finished before a moment, looking at ``limit`` from ``from_seq`` on.

        What has not finished stays, and so do the children of an unfinished parent. Large ones are deleted in steps
        of their own.
        """

    def prune_logs(self, *, before_us: int, from_seq: int, limit: int, most: int, note: str) -> Pruned:
        """Delete what up to ``most`` executions printed that ``prune`` would delete; the line ``note`` takes its place.

        Looks at ``limit`` of those that printed anything.
        """

    def give_back(self, *, limit: int, spared: float = 0.0) -> int:
        """Give up to ``limit`` empty pages back to the disk; return how many.

        That share of all pages is ``spared``, for what comes next.
        """

    def keep_round(self, made: Round) -> None:
        """Keep what a round of retention came to, in the place of the one before."""

    def abort(self, id: str) -> Running | None:
        """Move a started execution to aborting; None when it is not started."""

    def cancel(self, id: str) -> Ending | None:
        """Move a created execution to cancelled; None when it is not created."""

    def reschedule(self, id: str, scheduled_us: int) -> bool:
        """Give a created execution another time; True when it was created."""

    def discard_due(self, *, limit: int) -> list[Ending]:
        """Discard what was never started by its ``discard_after``."""

    def next_discard_us(self) -> int | None:
        """Return the earliest ``discard_after`` of what was never started."""

    def settle_blocks(self, *, limit: int) -> int:
        """Narrow what searches know of ``limit`` groups of neighbours at most; return how many have changed.

        Searches are right without it, and faster with it: what has ended is no longer looked at for what waits.
        """

    def forget_history(self, *, limit: int) -> int:
        """Forget up to ``limit`` counts of what ended in an hour more than 31 days ago; return how many they were."""

    def take_back(self, *, limit: int) -> list[Running]:
        """Make what a dead runner left started created again (uncharged, ``losses`` + 1), aborting aborted.

        From the second loss in a row on they are to be run isolated. Returns the attempts it ended, at most ``limit``;
        call it until it returns none. What ``guilty`` returns it leaves.
        """

    def guilty(self) -> Running | None:
        """Return what is to be charged with the death of a runner; None: nothing is. Its ``losses`` count that death.

        It was isolated, and found started by the third death in a row. Of all that were isolated it is the one that
        started or went on last: they are run one at a time, so that the others were waiting. Where that one was not
        found so often, nobody is charged.
        """

    def go_on(self, *, seq: int, attempt: int) -> bool:
        """Note that a started attempt goes on after a wait; True when it was started."""

    def has_runner_suspects(self) -> bool:
        """Return whether anything unfinished is to be run isolated since two runners in a row, or more, died with it.

        What the open transaction has started is not seen.
        """

    def step_back(self, *, limit: int) -> int:
        """Set unmarked created rows that lie ahead of now to now, in their old order; return how many."""

    def fire(self, ticks: Sequence[Tick]) -> list[Stored | None]:
        """Insert tick rows with their executions and marks; None where the tick's row was there already."""

    def marks(self) -> list[Mark]:
        """Return the mark of every (function, canonical form)."""

    def set_marks(self, marks: Sequence[Mark]) -> None:
        """Set marks, also backwards."""

    def record_gaps(self, gaps: Sequence[Gap]) -> None:
        """Keep the gaps, to be shown."""

    def lengthen_gaps(self, gaps: Sequence[Gap]) -> None:
        """Keep the gaps; one that goes on where the last of its cron with its reason ended becomes one with it."""

    def forget_marks(self, keep: Sequence[tuple[str, str]]) -> None:
        """Remove the marks of crons that are gone: all but those of ``keep`` (function, canonical form)."""

    def pause(self, function: str) -> bool:
        """Keep that a cron is paused from now on, by its name alone; False: it was already, since when it was."""

    def resume(self, function: str) -> bool:
        """Keep that a cron is paused no more; False: it was not."""

    def paused(self) -> dict[str, int]:
        """Return since when crons are paused, by function."""

    def append_logs(self, chunks: Sequence[LogChunk]) -> None:
        """Keep log chunks; those of executions that are gone are dropped."""

    def marked_children(self, parents: Sequence[str]) -> dict[str, dict[bytes, int]]:
        """Return, by parent id, how many marked children each call hash has."""

    def results(self, ids: Sequence[str]) -> dict[str, tuple[str, bytes | None, bytes | None]]:
        """Return state, result and error (JSON) of executions that have ended, by id."""

    def place(self, id: str) -> tuple[str, str] | None:
        """Return function and state of an execution; None when there is none."""


class Reader(Figures, Protocol):
    """The reading side: short statements on a connection that cannot write."""

    def get(self, id: str) -> Execution | None:
        """Return one execution."""

    def find(
        self,
        filters: Filters,
        *,
        limit: int,
        after: int | None = None,
        before: int | None = None,
        is_backward: bool = False,
    ) -> Found:
        """Return up to ``limit`` executions that pass ``filters``, newest first.

        They lie behind the place ``after`` and ahead of ``before`` in the list; forward from the newest on, backward
        from the oldest on. A search that takes long stops early and says where.
        """

    def attempts(self, id: str) -> list[Attempt]:
        """Return the attempts of an execution, oldest first, the running one included."""

    def payload(self, id: str) -> tuple[bytes, bytes | None, bytes | None] | None:
        """Return arguments, result and error (JSON)."""

    def previews(self, ids: Sequence[str], *, most: int) -> dict[str, tuple[bytes | None, int]]:
        """Return arguments (JSON) and their length in bytes, by id; None for those of more than ``most`` bytes."""

    def log_lines(self, id: str, *, attempt: int | None = None) -> list[LogLine]:
        """Return what an execution printed, in order."""

    def log_after(
        self, id: str, seen: Mapping[int, int], *, attempt: int | None = None, most_bytes: int
    ) -> list[LogPart]:
        """Return the parts of a log that are new to whoever has ``seen`` others, in order.

        ``seen`` holds by attempt the number of its last part. Up to ``most_bytes`` at once, but one part at least.
        """

    def counts(self) -> dict[tuple[str, State], int]:
        """Return how many executions each function has in each state, those above 0."""

    def last_executions(self) -> dict[str, Execution]:
        """Return the newest execution of each function."""

    def count_due(self, *, now_us: int, functions: Sequence[str] | None = None, without: Sequence[str] = ()) -> int:
        """Return how many created executions are due; of ``functions``, or of all but ``without``."""

    def count_waiting(self, *, now_us: int, limit: int) -> dict[str, Waiting]:
        """Return how many created executions of each function are due, and how many are not yet.

        About ``limit`` of them are looked at on each side, whatever waits.
        """

    def count_waiting_retries(self) -> int:
        """Return how many executions wait for a retry."""

    def count_coming_retries(self, *, now_us: int, limit: int) -> int:
        """Return how many of the ``limit`` executions of each function that are due next wait for a retry.

        Retries come within minutes, so these are all of them where not more than that is due before.
        """

    def oldest_due_us(self, *, now_us: int) -> int | None:
        """Return since when the execution that is due longest waits; None: nothing is due."""

    def last_runner(self) -> RunnerRecord | None:
        """Return the runner that started last."""

    def schema_version(self) -> int:
        """Return the version of the schema the database has."""

    def count_children(self, parent: str) -> dict[State, int]:
        """Return how many children of an execution are in each state."""

    def ticks(self, function: str, *, limit: int) -> list[int]:
        """Return the newest ticks of a cron."""

    def gaps(self, function: str | None = None, *, limit: int) -> list[Gap]:
        """Return the newest gaps."""

    def undelivered(self, *, since_us: int) -> Undelivered:
        """Return what waits of alerts, and what was given up since a moment."""

    def paused(self) -> dict[str, int]:
        """Return since when crons are paused, by function."""

    def last_round(self) -> Round | None:
        """Return what the last round of retention came to."""

    def count_kept(self) -> int:
        """Return how many have finished and are kept because their parent has not."""

    def close(self) -> None:
        """Close the connection."""
