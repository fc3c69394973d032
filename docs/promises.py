"""What a user may rely on: each promise, how it is kept, and which tests try it; and what is not promised."""

from __future__ import annotations

from dataclasses import dataclass

HEAD = """\
# Guarantees

What you may rely on, how it is kept, and how it is proved. A promise is proved by a test that injects the fault it is
about. Each table is what such tests found in one whole run: `make faults` in a clone of the project injects all of them
on your machine and draws this page anew; when one finds a promise broken, it fails and draws nothing.
"""

LIMITS = """\
## What is not promised

- **Effects are at least once, not exactly once.** A function that is interrupted, or whose process dies, runs again, so
  what it did before may be done twice. `current_execution().id` is the same over all attempts of an execution: pass it
  on as the idempotency key ([retries](retries.md)).
- **A call that was never accepted may have begun.** A call to an idle runner begins while it is synced, half a
  millisecond before you are told that it was accepted. Should the power fail in between, it is gone like any call that
  was not answered, and its function may have begun. A call with a key, a call of a function and a tick begin only
  once they are on the disk.
- **Only ticks are enqueued exactly once.** A call of yours that is sent twice is one execution when it has the same id
  or key ([calls](calls.md)); without a key, calling twice is two executions.
- **A disk that lies about flushing breaks promise 1**, and nothing can see it from above. So does a virtual machine
  whose host keeps what was synced in its memory.
- **One machine.** One runner owns one database on a local disk. When the machine is down, nothing runs; when its disk
  is lost, so is what came after the last [backup](machines.md).
- **A data folder that is taken away takes along what lies in it.** The runner sees within 0.2 s of work that it writes
  for nobody, and stops with the reason; what it had accepted meanwhile is gone with the folder.
- **A function may wreck what it shares with others.** It can fill the disk, starve the CPU or kill processes of its
  own user, the runner included: it is no sandbox.
"""


@dataclass(frozen=True, kw_only=True)
class Promise:
    """One promise; ``tests`` are files under tests/ that try it beside the faults, ``also`` is what else does."""

    number: int
    name: str
    promise: str
    kept: str
    tests: tuple[str, ...]
    also: str = ""


PROMISES = (
    Promise(
        number=1,
        name="Accepted means on disk",
        promise="Once a call has given you its execution, it survives a crash of anything, a power cut included.",
        kept="One process owns the database and answers a call only after the transaction that holds it was synced to "
        "the disk; without a runner the call is a synced file in the inbox.",
        tests=("store/test_transactions.py", "store/test_sqlite_sync.py", "process/test_calls.py"),
    ),
    Promise(
        number=2,
        name="Every execution ends, or is visibly queued",
        promise="An accepted execution comes to one final state, or you can see it wait: none is forgotten in between.",
        kept="No queue lives in memory only: every move is a row in the database, and what a dead runner or worker "
        "left is taken back.",
        tests=("store/test_against_a_model.py", "process/test_runner_death.py"),
    ),
    Promise(
        number=3,
        name="A final state never changes",
        promise="What has succeeded, failed or was cancelled stays so, whatever comes late.",
        kept="Every move names the execution, its attempt and the state it leaves; one that comes late or twice finds "
        "no such row and changes nothing.",
        tests=("store/test_moves.py", "store/test_against_a_model.py", "process/test_races.py"),
    ),
    Promise(
        number=4,
        name="No run without a record",
        promise="A function runs again only when its earlier attempt is recorded as failed, lost or interrupted.",
        kept="An attempt is recorded in the transactions that claim it, end it and take it back.",
        tests=("store/test_rescue.py", "process/test_runner_death.py", "process/test_deaths.py"),
    ),
    Promise(
        number=5,
        name="Retries are counted, and innocents are not charged",
        promise="There are never more retries than asked for, crashes included; a function that kills its process or "
        "takes its memory is charged, and those that ran beside it are not.",
        kept="All that ran in a process that died are suspects and run again alone, uncharged; the one that dies alone "
        "is charged.",
        tests=("store/test_isolation.py", "process/test_retries.py", "process/test_deaths.py"),
    ),
    Promise(
        number=6,
        name="Never more than its concurrency at once",
        promise="Of a function with `concurrency=n` at most n run at any moment, over restarts too.",
        kept="The transaction that starts executions counts what runs, and no worker of a dead runner lives when its "
        "work is taken back.",
        tests=("store/test_limits.py", "store/test_against_a_model.py", "process/test_limits.py"),
    ),
    Promise(
        number=7,
        name="A tick is enqueued once, and a parent finds its children",
        promise="Each tick of a cron makes exactly one execution, whatever restarts; a function that runs again finds "
        "the executions its calls made before.",
        kept="Cron and tick are unique in the transaction that enqueues; the id of a call in a function comes from its "
        "parent, its arguments and how often it was made.",
        tests=("store/test_ticks.py", "process/test_crons_clock.py", "process/test_children.py"),
    ),
    Promise(
        number=8,
        name="A death is noticed",
        promise="A dead worker is noticed within a second and replaced; what a dead runner left, as the next one "
        "starts.",
        kept="The kernel tells the runner when a worker has ended; the lock of a dead runner is free at once.",
        tests=("process/test_deaths.py", "process/test_runner_death.py", "process/test_supervised.py"),
    ),
    Promise(
        number=9,
        name="A stop loses nothing and is prompt",
        promise="SIGTERM ends the runner within its grace and seconds more; what did not end in time runs again, "
        "uncharged.",
        kept="It claims no more, lets what runs end, then cancels, and kills what does not heed that; those are "
        "recorded as interrupted.",
        tests=("process/test_stop.py", "unit/engine/test_dispatcher_stop.py"),
    ),
    Promise(
        number=10,
        name="What blocks is named",
        promise="A function that blocks its event loop is named within a second with its line; past its `max_duration` "
        "it alone is ended and charged.",
        kept="The runner watches what each worker's loop is busy with, from outside, so that it also sees code that "
        "never gives the interpreter back.",
        tests=("unit/engine/test_watch.py", "process/test_max_duration.py"),
    ),
    Promise(
        number=11,
        name="A finished result is not lost",
        promise="What a function came to is kept while the database cannot be written, and written once it can.",
        kept="It is held in memory and tried again under its attempt; if the runner must stop first, the new run is "
        "recorded as coming after a loss.",
        tests=("unit/store/test_writer.py", "unit/engine/test_owed.py"),
    ),
    Promise(
        number=12,
        name="A full disk is survived",
        promise="New work is refused clearly (507, exit 5, `StoreFull`), running work ends, and it goes on by itself "
        "once there is room.",
        kept="A file of 16 MiB keeps room, and is given up when the disk is full.",
        tests=("store/test_sqlite_files.py", "acceptance/test_cli_doctor.py"),
    ),
    Promise(
        number=13,
        name="Load does not bend it",
        promise="With a million executions queued, calls and starts cost at most twice what they cost with none.",
        kept="What is due is found through an index of its function; work is done in batches of bounded size.",
        tests=("store/test_sqlite_plans.py", "store/test_claim.py"),
        also=" `make bench` measures it behind a million.",
    ),
    Promise(
        number=14,
        name="A flood of output stays in its cage",
        promise="A function that prints without end fills neither the disk nor the time of others: of an attempt's "
        "output 10,000 lines or 1 MiB are kept, the rest is counted.",
        kept="The cap is held in the worker, before anything travels; what is kept is written after outcomes.",
        tests=("unit/workers/test_logs.py", "unit/store/test_writer.py"),
    ),
    Promise(
        number=15,
        name="What cannot be kept safe is refused",
        promise="A network file system, a damaged file, a newer schema or a second runner is refused with the reason; "
        "a disk that fails while it runs stops the runner.",
        kept="It is looked at before anything is written; an error whose outcome is unknown is never guessed about.",
        tests=("store/test_sqlite_files.py", "process/test_runner_death.py"),
    ),
)
