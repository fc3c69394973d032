"""Every kind of page of a console, with executions in every state to show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.browser.consoles import Console
from tests.process.harness import until

FAR_US = 4_102_444_800_000_000
"""The beginning of 2100, in microseconds."""

REFUSED = {"executions-wrong": 400, "no-page": 404, "no-execution": 404}
"""The status of pages that say what is wrong."""


def executions(console: Console) -> Mapping[str, str]:
    """Make one execution in each state; return their ids by what they show."""
    marks: Any = {"metadata": {"user": "12", "plan": "free"}}
    made = {
        "running": console.call("endless"),
        "retrying": console.call("flaky"),
        "delayed": console.call("greet", "later", scheduled_us=FAR_US, **marks),
        "succeeded": console.run("greet", "Ada", 2, **marks),
        "failed": console.run("parse", "no JSON", **marks),
        "family": console.run("family", 3),
        "cancelled": console.call("greet", "never", scheduled_us=FAR_US),
        "aborted": console.running("endless"),
    }
    console.ask("cancel", ids=[made["cancelled"]])
    console.ask("cancel", ids=[made["aborted"]], is_forced=True)
    console.end_of(made["aborted"])
    until(lambda: console.state(made["running"]) == "started", "endless runs")
    until(lambda: console.project.attempts(made["retrying"]), "flaky has failed once")
    return made


def addresses(made: Mapping[str, str]) -> Mapping[str, str]:
    """Return the address of every page, by its name in pictures; ``made`` are executions by what they show."""
    pages = {
        "overview": "/",
        "functions": "/functions",
        "functions-none": "/functions?q=nothing",
        "function": "/functions/greet",
        "function-cron": "/functions/nightly",
        "run": "/functions/greet/run",
        "executions": "/executions",
        "executions-filtered": "/executions?status=failed&focus=filter",
        "executions-none": "/executions?function=nothing",
        "executions-wrong": "/executions?status=asleep",
        "no-page": "/executions/nothing/here",
        "no-execution": "/executions/7zzzzzzzzzzzzzzzzzzzzzzzzz",
    }
    pages |= {f"execution-{word}": f"/executions/{id}" for word, id in made.items()}
    for tab in ("logs", "arguments", "attempts", "metadata"):
        pages[f"tab-{tab}"] = f"/executions/{made['failed']}?tab={tab}"
    pages["tab-result"] = f"/executions/{made['succeeded']}?tab=outcome"
    pages["tab-children"] = f"/executions/{made['family']}?tab=children"
    pages["attempt"] = f"/executions/{made['retrying']}.1"
    return pages
