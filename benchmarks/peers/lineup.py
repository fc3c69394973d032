"""Who is compared: how each peer is started, what it keeps, and what it does not have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

_APPS = "benchmarks.peers.apps"
Command = tuple[str, ...]
Environment = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """The commands of one worker of two processes, and the settings that its functions and they are given."""

    commands: tuple[Command, ...]
    environment: Environment = field(default_factory=dict)
    processes: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One of the compared; ``lacks`` says of a workload why there is no figure."""

    name: str
    title: str
    server: str
    durability: str
    how: str
    app: str
    requirements: str
    busy: Worker
    waiting: Worker
    answering: Worker
    idle: Worker
    environment: Environment = field(default_factory=dict)
    filling: Environment = field(default_factory=dict)
    lacks: Mapping[str, str] = field(default_factory=dict)
    is_slow: bool = False


def programs(python: Path, command: Command) -> list[str]:
    """Return what is to be run for a command: a program of the peer's environment, or a script."""
    if command[0] == "script":
        return [str(python), "-m", *command[1:]]
    return [str(python), str(python.parent / command[0]), *command[1:]]


def _scripts(app: str, **environment: str) -> Worker:
    return Worker(commands=(("script", f"{_APPS}.{app}", "work"),) * 2, environment=environment)


def _huey(*, fsync: bool) -> Peer:
    consumer = ("huey_consumer", f"{_APPS}.huey_app.huey")
    eager = ("-q", "-d", "0.005", "-m", "0.01")
    processes = Worker(commands=((*consumer, "-w", "2", "-k", "process", *eager),))
    greenlets = Worker(
        commands=(("script", f"{_APPS}.huey_app", "work"),) * 2,
        environment={"BENCH_GREENLETS": "1", "BENCH_SLOTS": "1000"},
    )
    only_speed = "the Huey above differs in this only in what it syncs"
    return Peer(
        name="huey" if fsync else "huey-unsynced",
        title="Huey on SQLite" if fsync else "Huey on SQLite, not synced",
        server="none",
        durability="fsync of every commit (fsync=True)"
        if fsync
        else "no fsync (fsync=False): a power cut may lose it all",
        how="2 processes, polling every 5-10 ms (W5: its default of 0.1-10 s); W4: 2 consumers of 1,000 greenlets each",
        app=f"{_APPS}.huey_app",
        requirements="huey",
        busy=processes,
        waiting=greenlets,
        answering=processes,
        idle=Worker(commands=((*consumer, "-w", "2", "-k", "process", "-q"),)),
        environment={} if fsync else {"BENCH_FSYNC": "0"},
        filling={"BENCH_FSYNC": "0"},
        lacks={"W1b": "has no bulk call: its map() is the loop of W1a"}
        | ({} if fsync else dict.fromkeys(("W4", "W5", "W6"), only_speed)),
    )


def _taskiq() -> Peer:
    def worker(slots: int) -> Command:
        flags = ("--workers", "2", "--log-level", "WARNING", "--max-async-tasks", str(slots), "--max-prefetch", "100")
        return ("taskiq", "worker", f"{_APPS}.taskiq_app:broker", *flags)

    scheduler = ("taskiq", "scheduler", f"{_APPS}.taskiq_app:scheduler", "--log-level", "WARNING")
    return Peer(
        name="taskiq",
        title="taskiq on Redis",
        server="redis",
        durability="Redis appends, fsync once a second: the last second may be lost",
        how="RedisStreamBroker with RedisAsyncResultBackend, uvloop, 2 processes",
        app=f"{_APPS}.taskiq_app",
        requirements="taskiq",
        busy=Worker(commands=(worker(100),)),
        waiting=Worker(commands=(worker(1_000),)),
        answering=Worker(commands=(worker(100),)),
        idle=Worker(commands=(worker(100), scheduler)),
    )


def _saq() -> Peer:
    def worker(slots: int) -> Worker:
        command = ("saq", f"{_APPS}.saq_app.settings", "--workers", "2")
        return Worker(commands=(command,), environment={"BENCH_SLOTS": str(slots)})

    return Peer(
        name="saq",
        title="SAQ on Redis",
        server="redis",
        durability="Redis appends, fsync once a second: the last second may be lost",
        how="hiredis, 2 processes",
        app=f"{_APPS}.saq_app",
        requirements="saq",
        busy=worker(100),
        waiting=worker(1_000),
        answering=worker(100),
        idle=worker(100),
    )


def _procrastinate() -> Peer:
    app = "procrastinate_app"
    return Peer(
        name="procrastinate",
        title="Procrastinate on PostgreSQL",
        server="postgresql",
        durability="fsync of every commit",
        how="psycopg's binary, LISTEN/NOTIFY, 2 processes",
        app=f"{_APPS}.{app}",
        requirements="procrastinate",
        busy=_scripts(app, BENCH_SLOTS="20"),
        waiting=_scripts(app, BENCH_SLOTS="1000"),
        answering=_scripts(app, BENCH_SLOTS="20"),
        idle=_scripts(app, BENCH_SLOTS="20"),
        is_slow=True,
    )


def _pgqueuer() -> Peer:
    app = "pgqueuer_app"
    return Peer(
        name="pgqueuer",
        title="PgQueuer on PostgreSQL",
        server="postgresql",
        durability="fsync of every commit; ends are buffered up to 0.1 s: a crash may run a batch again",
        how="asyncpg, uvloop, LISTEN/NOTIFY, 2 processes; records that a job ended, not what it returned",
        app=f"{_APPS}.{app}",
        requirements="pgqueuer",
        busy=_scripts(app, BENCH_SLOTS="200"),
        waiting=_scripts(app, BENCH_SLOTS="1000"),
        answering=_scripts(app, BENCH_SLOTS="10"),
        idle=_scripts(app, BENCH_SLOTS="10"),
    )


def _dbos() -> Peer:
    app = "dbos_app"
    return Peer(
        name="dbos",
        title="DBOS on PostgreSQL",
        server="postgresql",
        durability="fsync of every commit",
        how="2 processes, a queue polled every 10 ms (W5: its default of 1 s)",
        app=f"{_APPS}.{app}",
        requirements="dbos",
        busy=_scripts(app, BENCH_SLOTS="200", BENCH_POLL="0.01"),
        waiting=_scripts(app, BENCH_SLOTS="1000", BENCH_POLL="0.01"),
        answering=_scripts(app, BENCH_SLOTS="200", BENCH_POLL="0.01"),
        idle=_scripts(app, BENCH_SLOTS="200"),
        is_slow=True,
    )


def lineup() -> list[Peer]:
    """Return all peers that have a queue."""
    return [_huey(fsync=True), _huey(fsync=False), _taskiq(), _saq(), _procrastinate(), _pgqueuer(), _dbos()]


APSCHEDULER = (f"{_APPS}.apscheduler_app", "apscheduler")
