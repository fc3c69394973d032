"""Background functions and crons for Python: `from defer_cli import defer`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from defer_cli.background import (
        BackgroundFunction,
        CronFunction,
        add_metadata,
        assign_options,
        await_result,
        delay,
        discard_after,
    )
    from defer_cli.client.asking import (
        cancel_execution,
        get_execution,
        get_execution_result,
        list_execution_attempts,
        list_executions,
        rerun_execution,
        reschedule_execution,
    )
    from defer_cli.client.calls import Call, ResultCall
    from defer_cli.client.context import ExecutionContext, current_execution
    from defer_cli.client.lanes import defer_enabled
    from defer_cli.decorator import defer
    from defer_cli.domain.duration import Duration, When
    from defer_cli.domain.errors import (
        ArgumentError,
        CallRefused,
        CronError,
        DeferError,
        DefinitionError,
        ExecutionAbortingAlreadyInProgress,
        ExecutionFailed,
        ExecutionNotCancellable,
        ExecutionNotFound,
        ExecutionNotReschedulable,
        ExecutionResultNotAvailable,
        ExecutionResultNotAvailableYet,
        NoRunner,
        SettingError,
        StoreError,
        Unconfirmed,
        WaitRefused,
    )
    from defer_cli.domain.execution import Attempt, Execution, ExecutionError
    from defer_cli.domain.function import AtLimit, CatchUp
    from defer_cli.domain.paging import Filters, Interval, Listing, Page, PageInfo
    from defer_cli.domain.retry import Retry, RetryFields, RetryPolicy
    from defer_cli.domain.states import State

__version__ = "0.1.0"

_HOMES = {
    "background": "BackgroundFunction CronFunction add_metadata assign_options await_result delay discard_after",
    "client.asking": "cancel_execution get_execution get_execution_result list_execution_attempts list_executions"
    " rerun_execution reschedule_execution",
    "client.calls": "Call ResultCall",
    "client.context": "ExecutionContext current_execution",
    "client.lanes": "defer_enabled",
    "decorator": "defer",
    "domain.duration": "Duration When",
    "domain.errors": "ArgumentError CallRefused CronError DeferError DefinitionError"
    " ExecutionAbortingAlreadyInProgress ExecutionFailed ExecutionNotCancellable ExecutionNotFound"
    " ExecutionNotReschedulable ExecutionResultNotAvailable ExecutionResultNotAvailableYet NoRunner SettingError"
    " StoreError Unconfirmed WaitRefused",
    "domain.execution": "Attempt Execution ExecutionError",
    "domain.function": "AtLimit CatchUp",
    "domain.paging": "Filters Interval Listing Page PageInfo",
    "domain.retry": "Retry RetryFields RetryPolicy",
    "domain.states": "State",
}
_HOME_OF = {name: f"defer_cli.{home}" for home, names in _HOMES.items() for name in names.split()}

__all__ = [
    "ArgumentError",
    "AtLimit",
    "Attempt",
    "BackgroundFunction",
    "Call",
    "CallRefused",
    "CatchUp",
    "CronError",
    "CronFunction",
    "DeferError",
    "DefinitionError",
    "Duration",
    "Execution",
    "ExecutionAbortingAlreadyInProgress",
    "ExecutionContext",
    "ExecutionError",
    "ExecutionFailed",
    "ExecutionNotCancellable",
    "ExecutionNotFound",
    "ExecutionNotReschedulable",
    "ExecutionResultNotAvailable",
    "ExecutionResultNotAvailableYet",
    "Filters",
    "Interval",
    "Listing",
    "NoRunner",
    "Page",
    "PageInfo",
    "ResultCall",
    "Retry",
    "RetryFields",
    "RetryPolicy",
    "SettingError",
    "State",
    "StoreError",
    "Unconfirmed",
    "WaitRefused",
    "When",
    "add_metadata",
    "assign_options",
    "await_result",
    "cancel_execution",
    "current_execution",
    "defer",
    "defer_enabled",
    "delay",
    "discard_after",
    "get_execution",
    "get_execution_result",
    "list_execution_attempts",
    "list_executions",
    "rerun_execution",
    "reschedule_execution",
]


if not TYPE_CHECKING:  # with it, type checkers would accept any name

    def __getattr__(name: str) -> object:
        """Import a public name when it is first asked for: most programs use a few."""
        home = _HOME_OF.get(name)
        if home is None:
            raise AttributeError(f"module 'defer_cli' has no attribute {name!r}")
        from importlib import import_module

        value = globals()[name] = getattr(import_module(home), name)
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
