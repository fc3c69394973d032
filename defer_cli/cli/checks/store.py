"""What is stored: the runner that owns it, the database, the clock against its rows, the queue."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from defer_cli import __version__
from defer_cli.cli import access
from defer_cli.cli.checks.findings import Finding, ok, problem, warning
from defer_cli.cli.output import distance_words, moment_words
from defer_cli.domain.errors import StoreError
from defer_cli.domain.execution import to_microseconds, to_moment
from defer_cli.domain.size import size_in_words
from defer_cli.domain.visible import visible

if TYPE_CHECKING:
    from defer_cli.link.project import DataFolder

_PATIENCE_SECONDS = 3.0
_LOOK_SECONDS = 0.2
_FIRST_YEAR = 2025
_SKEW = timedelta(seconds=5)
_LONG_DUE = timedelta(hours=1)
_FUNCTIONS_SHOWN = 5


class StoreChecks:
    """The checks that share one look at the store."""

    def __init__(self, data: DataFolder, *, is_whole: bool) -> None:
        """``is_whole``: look at every page of the database, however long it takes."""
        self._data = data
        self._is_whole = is_whole
        self._now = datetime.now(UTC)
        self._health: dict[str, Any] | None = None
        self.has_runner = False

    def check_runner(self) -> Iterator[Finding]:
        """Tell whether a runner is alive and answers."""
        try:
            line = access.reach(self._data, patience_seconds=_PATIENCE_SECONDS)
        except StoreError as error:
            self.has_runner = True  # somebody listens there
            yield problem("runner", error.problem, error.mend or "see its log")
            return
        if line is None:
            return
        self.has_runner = True
        with line:
            try:
                self._health = line.ask("health", now_us=to_microseconds(self._now))
            except TimeoutError:
                yield problem("runner", "it does not answer", "see its log; stop it when it hangs")
                return
        record = self._health["runner"]
        words = f"alive: pid {record['pid']}, {record['version']}, up for {self._span(record['started_us'])}"
        if record["version"] != __version__:
            yield warning("runner", words, f"start it again: this command is of version {__version__}")
        else:
            yield ok("runner", words)

    def check_database(self) -> Iterator[Finding]:
        """Tell how large it is, which schema it has, and whether it is damaged."""
        path = Path(self._data.database)
        if not path.exists():
            yield ok("database", "none yet, made when it is needed")
            return
        if not self.has_runner:
            yield from self._unowned(path)
            return
        yield from self._whole(path, is_owned=True)
        yield self._ballast(path)

    def _unowned(self, path: Path) -> Iterator[Finding]:
        from defer_cli.link.lock import kept_free
        from defer_cli.store.sqlite.examining import examined

        with kept_free(Path(self._data.lock)) as owner:
            if owner is not None:
                words = f"owned by {owner} just now, which does not answer"
                yield warning("runner", words, "look again in a moment: it is starting, stopping or a command")
                return
            with examined(path) as reader:
                from defer_cli.reports import health, health_of_older

                asked = health if reader.is_current else health_of_older
                self._health = asked(reader, to_microseconds(self._now))
            yield self._no_runner()
            if not self._is_whole:
                yield from self._whole(path, is_owned=False)
        if self._is_whole:  # it takes long: a runner may start meanwhile
            yield from self._whole(path, is_owned=True)

    def _ballast(self, path: Path) -> Finding:
        from defer_cli.store.sqlite.ballast import BALLAST_BYTES, LEAST_TIMES, ballast_of

        if ballast_of(path).exists():
            return ok(
                "full disk", f"{size_in_words(BALLAST_BYTES)} are kept, so that what runs then can be written down"
            )
        least = size_in_words(LEAST_TIMES * BALLAST_BYTES)
        return warning("full disk", "no room is kept for one: it is full, or too small", f"have {least} free, or more")

    def _no_runner(self) -> Finding:
        assert self._health is not None
        record = self._health["runner"]
        mend = "`defer run` starts one; `defer dev` does while you write"
        if record is None:
            return ok("runner", "none is alive, and none ever was")
        if record["stopped_us"] is None:
            who = f"the last one (pid {record['pid']}, started {self._ago(record['started_us'])})"
            return warning("runner", f"none is alive; {who} was killed", mend)
        return warning("runner", f"none is alive; the last one stopped {self._ago(record['stopped_us'])}", mend)

    def _whole(self, path: Path, *, is_owned: bool) -> Iterator[Finding]:
        from defer_cli.store.sqlite.examining import look_for_damage
        from defer_cli.store.sqlite.migrations import MIGRATIONS

        size = sum(part.stat().st_size for part in (path, path.with_name(path.name + "-wal")) if part.exists())
        version = self._health["schema"] if self._health is not None else len(MIGRATIONS)
        words = f"{size_in_words(size)}, schema {version}"
        if version < len(MIGRATIONS):
            words += f" (the next owner brings it to {len(MIGRATIONS)})"
        if is_owned and not self._is_whole:
            yield ok("database", f"{words}; `defer doctor --check` looks for damage")
        elif look_for_damage(path, seconds=None if self._is_whole else _LOOK_SECONDS, is_owned=is_owned):
            yield ok("database", f"{words}, no damage")
        else:
            yield ok("database", f"{words}, no damage as far as it was looked at; --check looks at all of it")

    @property
    def health(self) -> Mapping[str, Any] | None:
        """What the store says of itself, None when it does not."""
        return self._health

    @property
    def undelivered(self) -> Mapping[str, Any] | None:
        """What is known of alerts that did not arrive."""
        return None if self._health is None else self._health.get("alerts")

    def check_clock(self) -> Iterator[Finding]:
        """Tell whether the clock goes with what is stored."""
        newest = None if self._health is None else self._health["newest_us"]
        words = moment_words(self._now)
        if self._now.year < _FIRST_YEAR:
            yield problem("clock", f"{words} cannot be", "set it: see `timedatectl`")
        elif newest is not None and to_moment(newest) > self._now + _SKEW:
            ahead = distance_words(to_moment(newest), now=self._now).removeprefix("in ")
            yield warning(
                "clock",
                f"{words}; the newest execution is stored {ahead} ahead of it",
                "set it if it is behind (see `timedatectl`); if it was ahead, start the runner again",
            )
        else:
            against = "" if newest is None else "; no execution is ahead of it"
            yield ok("clock", f"{words}{against}")

    def check_queue(self, functions: set[str] | None) -> Iterator[Finding]:
        """Tell what waits; ``functions`` are those that can run, None when that is not known."""
        if self._health is None:
            return
        counts: Mapping[str, Mapping[str, int]] = self._health["counts"]
        due, oldest_us, retries = (self._health[name] for name in ("due", "oldest_due_us", "coming_retries"))
        waiting = sum(states.get("created", 0) for states in counts.values())
        words = f"{waiting:,} waiting" if waiting else "nothing waits"
        if waiting and due is not None:
            words += f", {due:,} of them due"
        if due:
            words += f", the oldest for {self._span(oldest_us)}"
        if retries:
            words += f"; {retries:,} for a retry"
        running = sum(states.get(state, 0) for states in counts.values() for state in ("started", "aborting"))
        words += f"; {running:,} running" if running else ""
        if (waiting if due is None else due) and not self.has_runner:
            yield warning("queue", words, "start a runner: `defer run`")
        elif due and self._now - to_moment(oldest_us) > _LONG_DUE:
            yield warning("queue", words, "see `defer executions --state created`; then more --workers or --slots")
        else:
            yield ok("queue", words)
        if functions is None:
            return
        for name in self._unknown(counts, functions):
            yield warning(
                "queue",
                f"{counts[name]['created']:,} of {visible(name)} wait, and there is no such function",
                f"bring back {visible(name)}.py, or `defer cancel --all --function {visible(name)} --state created`",
            )

    def _unknown(self, counts: Mapping[str, Mapping[str, int]], functions: set[str]) -> list[str]:
        gone = [name for name in sorted(counts) if counts[name].get("created") and name not in functions]
        return gone[:_FUNCTIONS_SHOWN]

    def _span(self, moment_us: int) -> str:
        return self._ago(moment_us).removesuffix(" ago")

    def _ago(self, moment_us: int) -> str:
        return distance_words(to_moment(moment_us), now=self._now)
