"""Writing what attempts came to, a group of equal moves at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

import msgspec
from msgspec import Struct, structs

from defer_cli.domain.execution import ExecutionError
from defer_cli.domain.history import HOUR_US, bucket_of
from defer_cli.domain.settle import Move
from defer_cli.domain.visible import as_text
from defer_cli.store.sqlite import statements
from defer_cli.store.sqlite.inserting import LARGEST_INLINE
from defer_cli.store.sqlite.session import Session
from defer_cli.store.sqlite.statements import as_list

_end_of = attrgetter("function", "source", "target", "at_us", "started_us")
_FEW = 8
"""Moves that are as cheap one by one as together."""


class _Kind(Struct, frozen=True):
    """How moves of one name are written; ``is_final``: they end the execution, not only the attempt.

    ``parameters`` are all but the last one of ``statement``, which is ``seq``.
    """

    statement: str
    parameters: Callable[[Move], tuple[Any, ...]]
    is_final: bool


_KINDS = {
    "succeed": _Kind(
        statements.APPLY_SUCCEED,
        lambda move: (
            move.at_us,
            move.at_us,
            move.result if move.result is None or len(move.result) <= LARGEST_INLINE else None,
            move.attempt,
        ),
        True,
    ),
    "fail": _Kind(
        statements.APPLY_FAIL,
        lambda move: (
            move.at_us,
            move.at_us,
            move.charged,
            None if move.error is None else str(move.error.code),
            move.attempt,
        ),
        True,
    ),
    "aborted": _Kind(statements.APPLY_ABORTED, lambda move: (move.at_us, move.at_us, move.attempt), True),
    "retry": _Kind(
        statements.APPLY_RETRY,
        lambda move: (
            move.at_us,
            move.at_us if move.scheduled_us is None else move.scheduled_us,
            move.is_delayed,
            move.charged,
            move.losses,
            move.isolation,
            move.attempt,
        ),
        False,
    ),
    "interrupt": _Kind(
        statements.APPLY_INTERRUPT,
        lambda move: (move.at_us, move.charged, move.losses, move.isolation, move.attempt),
        False,
    ),
}


def apply(session: Session, moves: Sequence[Move]) -> list[bool]:
    """Write moves, each guarded by its attempt and source state."""
    session.require_transaction()
    if len({move.seq for move in moves}) < len(moves):  # the first of two about one execution must win
        return [_write(session, move.name, [move])[0] for move in moves]
    if len({move.name for move in moves}) == 1:
        return _write(session, moves[0].name, moves)
    groups: dict[str, list[int]] = {}
    for position, move in enumerate(moves):
        groups.setdefault(move.name, []).append(position)
    applied = [False] * len(moves)
    for name, positions in groups.items():
        written = _write(session, name, [moves[position] for position in positions])
        for position, is_written in zip(positions, written, strict=True):
            applied[position] = is_written
    return applied


def _write(session: Session, name: str, moves: Sequence[Move]) -> list[bool]:
    kind = _KINDS[name]
    if _write_all(session, kind, moves):
        _follow(session, kind, moves)
        return [True] * len(moves)
    written = [_write_one(session, kind, move) for move in moves] if len(moves) > 1 else [False]
    _follow(session, kind, [move for move, is_written in zip(moves, written, strict=True) if is_written])
    return written


def _write_one(session: Session, kind: _Kind, move: Move) -> bool:
    return session.execute(kind.statement, (*kind.parameters(move), move.seq)).rowcount == 1


def _write_all(session: Session, kind: _Kind, moves: Sequence[Move]) -> bool:
    """Write all moves or none."""
    if len(moves) == 1:
        return _write_one(session, kind, moves[0])
    alike: dict[tuple[Any, ...], list[int]] = {}
    for move in moves:
        alike.setdefault(kind.parameters(move), []).append(move.seq)
    session.execute("SAVEPOINT moves")
    if len(moves) > _FEW * len(alike):  # other threads go on while one statement writes them all
        together = statements.of_many(kind.statement)
        written = sum(session.execute(together, (*row, as_list(seqs))).rowcount for row, seqs in alike.items())
    else:
        rows = [(*row, seq) for row, seqs in alike.items() for seq in seqs]
        written = session.executemany(kind.statement, rows).rowcount
    is_complete = written == len(moves)
    if not is_complete:
        session.execute("ROLLBACK TO moves")
    session.execute("RELEASE moves")
    return is_complete


def _follow(session: Session, kind: _Kind, moves: Sequence[Move]) -> None:
    """Write what goes with accepted moves: results, errors, attempts, counters, history, heads, blocks."""
    if not moves:
        return
    heads, blocks = session.heads, session.blocks
    counts = _count_ends(session, moves) if kind.is_final else _count(moves)
    if kind.is_final:
        outcomes = [
            (move.seq, move.result, encode_error(move.error))
            for move in moves
            if move.error is not None or (move.result is not None and len(move.result) > LARGEST_INLINE)
        ]
        blocks.moved(
            [move.seq for move in moves],
            moves[0].target,
            {str(move.error.code) for move in moves if move.error is not None},
        )
        if outcomes:
            session.executemany(statements.APPLY_OUTCOME, outcomes)
    else:
        session.executemany(
            statements.APPLY_ATTEMPT,
            [
                (
                    move.seq,
                    move.attempt,
                    move.due_us,
                    move.started_us,
                    move.at_us,
                    move.name,
                    encode_error(move.error),
                )
                for move in moves
            ],
        )
        for move in moves:
            if move.scheduled_us is None:
                heads.look(move.function)
            else:
                heads.offer(move.function, move.scheduled_us, move.seq)
                blocks.scheduled(move.seq, move.scheduled_us, is_delayed=move.is_delayed)
            if move.isolation > 0:
                session.may_hold_isolated = True
        blocks.moved([move.seq for move in moves], "created")
        failed = [(move.id,) for move in moves if move.name == "retry"]
        if failed:
            session.executemany(statements.APPLY_MARK_CHILDREN, failed)
    for (function, source, target), count in counts.items():
        session.counters.move(function, source, target, count)
        heads.release(function)


def _count(moves: Sequence[Move]) -> dict[tuple[str, str, str], int]:
    """Return how many moves there are by function, source and target."""
    counts: dict[tuple[str, str, str], int] = {}
    for move in moves:
        key = (move.function, move.source, move.target)
        counts[key] = counts.get(key, 0) + 1
    return counts


def _count_ends(session: Session, moves: Sequence[Move]) -> dict[tuple[str, str, str], int]:
    """Do the same, and count for history: many have begun in one commit, and ended in one report."""
    counts: dict[tuple[str, str, str], int] = {}
    for (function, source, target, at_us, started_us), count in Counter(map(_end_of, moves)).items():
        key = (function, source, target)
        counts[key] = counts.get(key, 0) + count
        session.history.add((function, at_us // HOUR_US, target, bucket_of(at_us - started_us)), count)
    return counts


def encode_error(error: ExecutionError | None) -> bytes | None:
    """Return an error as stored; what is not text in it (lone surrogates) is replaced."""
    if error is None:
        return None
    try:
        return msgspec.json.encode(error)
    except UnicodeEncodeError:
        return msgspec.json.encode(
            structs.replace(
                error,
                type=as_text(error.type),
                message=as_text(error.message),
                traceback=as_text(error.traceback),
                location=None if error.location is None else as_text(error.location),
            )
        )
