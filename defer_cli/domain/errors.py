"""What can go wrong, in the words a person reads: the problem, where it is, how to mend it."""

from __future__ import annotations


class DeferError(Exception):
    """Base of every error defer raises: what is wrong, where, and how to mend it."""

    def __init__(self, problem: str, *, where: str | None = None, mend: str | None = None) -> None:
        super().__init__(problem, where, mend)
        self.problem = problem
        self.where = where
        self.mend = mend

    def __str__(self) -> str:
        text = self.problem
        if self.where:
            text = f"{self.where}: {text}"
        if self.mend:
            text = f"{text}; {self.mend}"
        return text

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(kind: type[DeferError], args: tuple[object, ...], state: dict[str, object]) -> DeferError:
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(state)
    return error


class SettingError(DeferError):
    """An option or a setting has a wrong type or value."""


class CronError(SettingError):
    """A cron expression is not valid, or can never fire."""


class DefinitionError(DeferError):
    """A function is defined in a way defer cannot run; ``code`` is the problem's number (DEF…)."""

    def __init__(self, code: str, problem: str, *, where: str | None = None, mend: str | None = None) -> None:
        super().__init__(problem, where=where, mend=mend)
        self.code = code


class ArgumentError(DeferError, TypeError):
    """The arguments of a call do not fit the function, or are not JSON."""


class ArgumentsTooLarge(ArgumentError):
    """The arguments of a call, or its result, are over the limit of bytes."""


class CallRefused(DeferError):
    """The runner did not accept the call; nothing was stored."""


class WaitRefused(DeferError):
    """Waiting for an execution would never end; it is stored, and runs when its time comes."""


class NoRunner(DeferError):
    """The request needs a living runner, and there is none."""


class Unconfirmed(DeferError):
    """No answer came in time: it is unknown whether the call was stored, or the change made."""


class StoreError(DeferError):
    """The store is not to be had: owned by another runner, damaged, newer, or full.

    ``is_fatal``: going on could make it worse, the runner must stop.
    """

    def __init__(
        self, problem: str, *, where: str | None = None, mend: str | None = None, is_fatal: bool = False
    ) -> None:
        super().__init__(problem, where=where, mend=mend)
        self.is_fatal = is_fatal


class StoreFull(StoreError):
    """The disk has no room for more; what is stored is safe, and what runs goes on."""


class ExecutionNotFound(DeferError):
    """No execution has this id."""


class _InState(DeferError):
    """What was asked for does not go with the state the execution is in; ``state`` is that state."""

    def __init__(
        self, problem: str, *, state: str | None = None, where: str | None = None, mend: str | None = None
    ) -> None:
        super().__init__(problem, where=where, mend=mend)
        self.state = state


class ExecutionNotCancellable(_InState):
    """It has ended, or it runs and the cancel was not forced."""


class ExecutionAbortingAlreadyInProgress(_InState):
    """It is being aborted already."""


class ExecutionNotReschedulable(_InState):
    """It is not waiting in the queue any more."""


class ExecutionResultNotAvailableYet(_InState):
    """It has not ended."""


class ExecutionResultNotAvailable(_InState):
    """It ended without a result, and never will have one: cancelled, aborted or discarded."""


class ExecutionFailed(DeferError):
    """The awaited execution ended without a result.

    When its function raised, ``remote_type``, ``remote_message`` and ``remote_traceback`` say what, and ``error_code``
    how it ended (``ER0001``: over its ``max_duration``); the traceback is printed with this error.
    """

    def __init__(
        self,
        problem: str,
        *,
        execution_id: str,
        state: str,
        error_code: str | None = None,
        remote_type: str | None = None,
        remote_message: str | None = None,
        remote_traceback: str | None = None,
        where: str | None = None,
        mend: str | None = None,
    ) -> None:
        super().__init__(problem, where=where, mend=mend)
        self.execution_id = execution_id
        self.state = state
        self.error_code = error_code
        self.remote_type = remote_type
        self.remote_message = remote_message
        self.remote_traceback = remote_traceback


def named_error(
    kind: str, problem: str, *, where: str | None = None, mend: str | None = None, state: str | None = None
) -> DeferError:
    """Return the error of a class called ``kind`` as it travelled; a plain ``DeferError`` where there is none."""
    named = globals().get(kind)
    if not (isinstance(named, type) and issubclass(named, DeferError)):
        return DeferError(problem, where=where, mend=mend)
    if issubclass(named, _InState):
        return named(problem, state=state, where=where, mend=mend)
    try:
        return named(problem, where=where, mend=mend)
    except TypeError:  # a kind that needs more than travels
        return DeferError(problem, where=where, mend=mend)
