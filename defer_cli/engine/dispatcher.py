"""The heart: hands what was claimed to workers, and turns what they say into moves."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta

from defer_cli.domain.duration import in_words
from defer_cli.domain.errors import StoreError
from defer_cli.domain.function import FunctionSpec
from defer_cli.domain.retry import NO_RETRY
from defer_cli.domain.settle import (
    Died,
    Move,
    Outcome,
    Reason,
    Running,
    aborted_instead,
    settle,
    succeed,
)
from defer_cli.domain.states import State
from defer_cli.engine.endings import GRACE_SECONDS, Endings
from defer_cli.engine.events import Aborting, LeftQueue, Listener, WorkerDied
from defer_cli.engine.isolated import Isolated
from defer_cli.engine.outcomes import outcome_of
from defer_cli.engine.places import Places
from defer_cli.engine.placing import Placing
from defer_cli.engine.roster import Roster
from defer_cli.engine.slots import Slots
from defer_cli.engine.standstill import Standstill
from defer_cli.engine.waiting import Waiting
from defer_cli.engine.watch import Watch
from defer_cli.link.frames import Hello, Logs, OutcomeItem, Outcomes
from defer_cli.store.contract import Claim, Ending, Limit
from defer_cli.store.writer import Writer
from defer_cli.workers.pool import Pool
from defer_cli.workers.process import Assigned, WorkerProcess

_log = logging.getLogger(__name__)
_dice = random.random


class Dispatcher:
    """Keeps no queue: free slots go to the writer's claim, what it took goes to workers at once."""

    def __init__(self, *, slots: int, has_suspects: bool = False, listener: Listener, clock: Callable[[], int]) -> None:
        self._places = Places()
        self._slots = Slots(slots, self._grant, self._places)
        self._listener = listener
        self._clock = clock
        self._roster = Roster()
        self._assigned = self._roster.assigned
        self.waiting = Waiting(self._slots, self._assigned.get)
        self.standstill = Standstill(self.waiting)
        self._watch = Watch(listener, on_blocked=self._blocked, on_unblocked=self._unblocked)
        self._endings = Endings(self._watch)
        self._deadlines = self._endings.deadlines
        self._placing = Placing(
            self._assigned, self._slots, self._deadlines, self.standstill, self._watch, self._listener
        )
        self._isolated = Isolated(
            self._roster,
            self._places,
            has_suspects=has_suspects,
            begin=self._placing.begin_alone,
            put_back=self._put_back,
        )
        self._is_draining = False
        self._freed = 0
        self._is_releasing = False
        self.failures = 0
        self._next_due_us: int | None = None
        self.on_next_due: Callable[[], None] = lambda: None
        self.writer: Writer
        self.pool: Pool

    def attach(self, writer: Writer, pool: Pool) -> None:
        """Learn the two parts it stands between."""
        self.writer = writer
        self.pool = self._placing.pool = pool
        self._isolated.attach(writer, pool)

    def set_functions(self, specs: Mapping[str, FunctionSpec]) -> None:
        """Claim these functions from now on, under their limits."""
        if self._is_draining:
            return
        self.standstill.set_functions(specs, self._assigned.values())
        self.writer.set_functions(
            {name: Limit(spec.options.concurrency, spec.options.max_concurrency_action) for name, spec in specs.items()}
        )

    # Work goes out.

    def claimed(self, claim: Claim) -> None:
        """Hand out what a claim took; called after its commit."""
        self.left_queue(claim.ended)
        if claim.next_due_us is not None and claim.next_due_us != self._next_due_us:
            self._next_due_us = claim.next_due_us
            self.on_next_due()
        self._places.claimed(claim.isolated)
        started = self._placing.left_of(claim)
        if started:
            again = [running.id for running in started if running.attempt > 1]
            if again:
                self._hand_out_again(started, again)
            else:
                self._hand_out(started, {})

    def claimed_ahead(self, commit: int, claim: Claim) -> None:
        """Hand out what a claim took while its commit is on its way; workers hold it."""
        self._placing.begin_ahead(commit, claim)

    def may_begin(self, commit: int) -> None:
        """Have workers begin what they hold for a commit; the writer's thread calls."""
        self._placing.may_begin(commit)

    def undone(self, commit: int, claim: Claim) -> None:
        """A commit has failed: nothing of its claim was started, and its places are free."""
        begun = {assigned.running.seq: assigned for assigned in self._placing.retract(commit, claim)}
        for running in claim.started:
            assigned = begun.get(running.seq)
            if assigned is None:
                (self.writer.grant_isolated if running.isolation > 0 else self._grant)(1)
            elif self._assigned.get(running.seq) is assigned:  # else it went with its worker
                self._release(assigned.process, [assigned])
                if assigned.process.is_retiring:
                    self.pool.leave_if_done(assigned.process)
        self._roster.look()

    def left_queue(self, endings: Sequence[Ending]) -> None:
        """Tell of executions that ended without running."""
        for ending in endings:
            self._listener.tell(LeftQueue(ending.function, ending.id, str(ending.state)))
            self.waiting.ended(ending.id, str(ending.state), None, None)

    def next_wake_us(self) -> int | None:
        """Return when the next execution is due whose time has not come."""
        return self._next_due_us

    def wake(self) -> None:
        """Claim what has become due."""
        if self._next_due_us is not None and self._next_due_us <= self._clock():
            self._next_due_us = None
            self.writer.wake()

    def take(self, worker: WorkerProcess, frame: object) -> bool:
        """Take a worker's frame; False when it is not for the dispatcher."""
        if type(frame) is Outcomes:
            self._outcomes(worker, frame.items)
        elif type(frame) is Logs:
            self.writer.write_logs(frame.chunks)
        else:
            return type(frame) is Hello
        return True

    def _hand_out_again(self, started: list[Running], again: list[str]) -> None:
        """Some have run before: the counts of their marked children travel with them."""
        self._roster.take_in_hand(started)

        def on_counted(counted: asyncio.Future[dict[str, dict[bytes, int]]]) -> None:
            going = self._roster.let_go(started)
            if counted.exception() is None:
                self._hand_out(going, counted.result())
            else:
                for running in going:
                    self._put_back(running)

        self.writer.submit(lambda store: store.marked_children(again)).add_done_callback(on_counted)

    def _hand_out(self, started: Sequence[Running], marked: Mapping[str, dict[bytes, int]]) -> None:
        pooled = [running for running in started if running.isolation <= 0]
        if len(pooled) < len(started):
            for running in started:
                if running.isolation > 0:
                    self._isolated.take(running, marked.get(running.id))
        for running in self._placing.begin(pooled, marked):
            if self._is_draining or self.pool.route(running.function) is None:
                self._put_back(running)
            else:
                self._roster.keep_homeless(running)

    def _put_back(self, running: Running) -> None:
        self.set_functions(self.pool.specs)
        self._end_unplaced(running)

    def _end_unplaced(self, running: Running) -> None:
        """End an attempt that no worker has seen."""
        (self._places.add if running.isolation > 0 else self.writer.grant)(1)
        self._write([self._move(running, None, Died("no worker took it"), Reason.STOP, self._clock())])

    def worker_ready(self, worker: WorkerProcess) -> None:
        """A worker joined: its slots may be claimed, and what waited for a worker goes to it."""
        self._slots.joined()

    def worker_retired(self, worker: WorkerProcess) -> None:
        """A worker stopped taking work (it retires): its free slots are gone, what it runs goes on."""
        self._slots.retired(worker)

    def _blocked(self, worker: WorkerProcess) -> None:
        self._slots.blocked(worker)
        self.pool.stand_in_for(worker)

    def _unblocked(self, worker: WorkerProcess) -> None:
        self._slots.unblocked(worker)
        self.pool.trim_later()

    def _grant(self, slots: int) -> None:
        self._freed += slots
        if not self._is_releasing:
            self._grant_freed()

    def _grant_freed(self) -> None:
        slots, self._freed = self._freed, 0
        if slots:
            self.writer.grant(slots)
        if slots > 0 and (homeless := self._roster.take_homeless()):
            self._hand_out_again(homeless, [running.id for running in homeless])

    # Outcomes come in.

    def _outcomes(self, worker: WorkerProcess, items: Sequence[OutcomeItem]) -> None:
        """Settle what a worker reports. The writer is told of all freed slots at once: it claims when it is told."""
        self._is_releasing = True
        try:
            self._write(self._moves(worker, items))
        finally:
            self._is_releasing = False
            self._grant_freed()
        if worker.is_retiring:
            self.pool.leave_if_done(worker)
        elif worker.is_alone:
            self._isolated.freed(worker)

    def _moves(self, worker: WorkerProcess, items: Sequence[OutcomeItem]) -> list[Move]:
        """Return what attempts that have ended come to; late and doubled reports are dropped."""
        moves: list[Move] = []
        ended: dict[int, Assigned] = {}
        here, now_us = worker.assigned, self._clock()
        for item in items:
            seq = item.seq
            assigned = here.get(seq)
            if assigned is None or assigned.running.attempt != item.attempt or seq in ended:
                _log.debug("a late outcome of %s.%s was dropped", seq, item.attempt)
                continue
            ended[seq] = assigned
            if item.error is None and not assigned.is_ending:
                moves.append(succeed(assigned.running, item.result, now_us))
            else:
                moves.append(self._move(assigned.running, assigned.spec, outcome_of(item), assigned.reason, now_us))
        self._release(worker, list(ended.values()))
        return moves

    def _release(self, worker: WorkerProcess, attempts: Sequence[Assigned]) -> None:
        here, everywhere = worker.assigned, self._assigned
        for assigned in attempts:
            seq = assigned.running.seq
            del here[seq], everywhere[seq]
            if assigned.is_waiting:
                self.waiting.release(assigned)
        self._deadlines.remove(attempts)
        self.standstill.free(attempts)
        self._slots.released(worker, attempts)

    def worker_died(self, worker: WorkerProcess) -> None:
        """A process ended: unasked, all in it are suspects; condemned by us, its neighbours are interrupted."""
        lost = list(worker.assigned.values())
        if worker.is_alone:
            self._isolated.died(worker)
        if (worker.has_joined or (worker.is_alone and lost)) and not worker.is_retiring and not self._is_draining:
            self._listener.tell(WorkerDied(worker.pid, worker.exit_cause, len(lost)))
        moves: list[Move] = []
        now_us = self._clock()
        self._release(worker, lost)
        for assigned in lost:
            reason = assigned.reason or (Reason.NEIGHBOUR if worker.is_condemned else None)
            died = Died(f"its process {worker.exit_cause}", was_alone=worker.is_alone and worker.begun == 1)
            moves.append(self._move(assigned.running, assigned.spec, died, reason, now_us))
        self._slots.lost(worker)
        self.waiting.drop(worker)
        self._write(moves)

    def _move(
        self, running: Running, spec: FunctionSpec | None, outcome: Outcome, reason: Reason | None, now_us: int
    ) -> Move:
        return settle(
            running,
            outcome,
            reason,
            policy=spec.options.retry if spec is not None else NO_RETRY,
            now_us=now_us,
            dice=_dice,
            max_duration_words=in_words(spec.options.max_duration) if reason is Reason.MAX_DURATION and spec else "",
        )

    def _write(self, moves: list[Move]) -> None:
        if moves:
            self.writer.settle(moves)

    def applied(self, moves: Sequence[Move], applied: Sequence[bool]) -> None:
        """Tell of moves that are on disk; called after their commit."""
        if not all(applied):
            for move in [move for move, was_applied in zip(moves, applied, strict=True) if not was_applied]:
                self._refused(move)
            moves = [move for move, was_applied in zip(moves, applied, strict=True) if was_applied]
        self.failures += [move.target for move in moves].count(State.FAILED)
        self.waiting.settled(moves)
        self._listener.settled(moves)
        self._roster.look()

    def _refused(self, move: Move) -> None:
        """The outcome was on its way when an abort came to the disk: then that is what the attempt comes to."""
        if move.source is State.STARTED:
            self._write([aborted_instead(move)])
        else:
            _log.warning("a late writer was refused: %s of %s.%s", move.name, move.id, move.attempt)

    def abort(self, aborting: Sequence[Running]) -> None:
        """End attempts whose abort is on disk, wherever they are.

        What is neither with a worker nor on its way to one has ended meanwhile: its move will be refused.
        """
        attempts: list[Assigned] = []
        for running in aborting:
            self._listener.tell(Aborting(running.function, running.id, running.attempt))
            assigned = self._assigned.get(running.seq)
            if assigned is not None:
                attempts.append(assigned)
            elif self._roster.take_out(running.seq) is not None:
                self._end_unplaced(running)
        self._endings.abort(attempts)

    def charge(self, guilty: Running) -> None:
        """Settle what is still started since a runner died with it, not for the first time."""
        spec = self.pool.specs.get(guilty.function)
        died = Died(f"its runner died while it ran, {guilty.losses} times in a row", was_alone=True)
        self._write([self._move(guilty, spec, died, None if spec else Reason.STOP, self._clock())])

    # The end.

    @property
    def is_idle(self) -> bool:
        """Whether nothing runs and nothing waits to be written."""
        return self._roster.is_empty and self.writer.is_idle

    @property
    def only_waits(self) -> bool:
        """Whether all that runs waits for executions which do not: while nothing is claimed, they never will."""
        is_settling = self._roster.is_on_its_way or not self.writer.is_idle or self._places.is_settling
        return not is_settling and all(one.only_waits for one in self._assigned.values())

    async def until_idle(self) -> None:
        """Return once nothing runs."""
        await self._roster.until_empty()

    async def drain(self, grace: timedelta, *, hurry: asyncio.Event) -> None:
        """Stop claiming and wait up to ``grace`` for what can still end; then ask the rest to end, then kill it."""
        roster, endings = self._roster, self._endings
        self._is_draining = True
        self._isolated.stop()
        self.writer.set_functions({})
        with suppress(StoreError):
            await self.writer.submit(lambda store: None)  # a claim on its way has been handed out when this returns
        for running in roster.take_homeless():
            self._put_back(running)
        await roster.until(lambda: self.only_waits, grace.total_seconds(), hurry=hurry)
        endings.stop(roster.assigned.values())
        await roster.until(lambda: roster.is_empty, GRACE_SECONDS, hurry=hurry)
        endings.kill(roster.assigned.values())
        await roster.until(lambda: roster.is_empty, GRACE_SECONDS, hurry=asyncio.Event())
