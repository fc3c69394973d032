"""What became of a change that was asked for, one execution or cron at a time, as it travels."""

from __future__ import annotations

from msgspec import Struct

from defer_cli.domain.errors import DeferError, named_error
from defer_cli.domain.execution import Execution


class Refusal(Struct, frozen=True, kw_only=True):
    """Why one execution was not changed: the name of an error's class, and its words."""

    kind: str
    problem: str
    where: str | None = None
    mend: str | None = None
    state: str | None = None

    @classmethod
    def of(cls, error: DeferError) -> Refusal:
        """Return the refusal that stands for ``error``."""
        return cls(
            kind=type(error).__name__,
            problem=error.problem,
            where=error.where,
            mend=error.mend,
            state=getattr(error, "state", None),
        )

    def error(self) -> DeferError:
        """Return the error it stands for."""
        return named_error(self.kind, self.problem, where=self.where, mend=self.mend, state=self.state)


class Change(Struct, frozen=True, kw_only=True):
    """The execution as it is after the change, or why it was refused."""

    id: str
    execution: Execution | None = None
    refusal: Refusal | None = None

    def changed(self) -> Execution:
        """Return the execution; raise why it was refused."""
        if self.execution is None:
            assert self.refusal is not None
            raise self.refusal.error()
        return self.execution


class Pause(Struct, frozen=True, kw_only=True):
    """A cron that was asked to pause or to resume: since when it is paused, or was until now; None: it was not."""

    name: str
    since_us: int | None
    is_changed: bool
