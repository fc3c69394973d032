"""schemathesis over the whole document, against a runner whose executions are in every state."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx

from defer_cli.api.openapi import document
from tests.acceptance.command import write_function
from tests.process.harness import until

TOKEN = "a token"
FUNCTIONS = {
    "compute_product_recommendation": "async def {}(*users: int, **more: object) -> object:\n    return more",
    "stay": "async def {}(*_: object) -> None:\n    await asyncio.sleep(3600)",
    "fall": "async def {}(*_: object) -> None:\n    print('about to')\n    raise ValueError('it fell')",
}
CRON = "@defer.cron('0 8 * * MON')\nasync def weekly_product_recommendations() -> None: ..."
_CASES = re.compile(r"(\d+) generated")


def write_functions(folder: Path) -> None:
    for name, source in FUNCTIONS.items():
        write_function(folder, name, f"@defer(retry=False)\n{source.format(name)}\n")
    write_function(folder, "weekly_product_recommendations", CRON)


class Seeds:
    """Executions in the states that stay, made over the API itself."""

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=f"{url}/public/v2", headers={"authorization": f"Bearer {TOKEN}"})
        self.ended = [self._ended("compute_product_recommendation"), self._ended("fall")]
        self.ended += [f"{self.ended[0]}.1", f"{self.ended[1]}.1"]
        self.all = [*self.ended]
        for _ in range(20):
            self.all += [self._call("stay"), self._call("stay", schedule_for="2099-01-01T00:00:00Z")]
        self._http.close()

    def _call(self, name: str, **fields: str) -> str:
        answer = self._http.put("/executions", json={"function_name": name, **fields})
        return str(answer.raise_for_status().json()["data"]["id"])

    def _ended(self, name: str) -> str:
        id = self._call(name)
        until(lambda: self._http.get(f"/executions/{id}").json()["data"]["finished_at"], f"{name} has ended")
        return id


def strict_document() -> dict[str, Any]:
    """Return the document so that an answer may hold nothing that it does not tell."""
    told = document()
    schemas = told["components"]["schemas"]
    answers = [told["components"]["responses"]]
    answers += [one["responses"] for item in told["paths"].values() for one in item.values()]
    for name in _referred(answers, schemas):
        if "properties" in schemas[name]:
            schemas[name]["additionalProperties"] = False
    return told


def _referred(thing: Any, schemas: dict[str, Any]) -> set[str]:
    names: set[str] = set()
    looked_at: list[Any] = [thing]
    while looked_at:
        found = set(re.findall(r"#/components/schemas/(\w+)", json.dumps(looked_at.pop()))) - names
        names |= found
        looked_at += [schemas[name] for name in found]
    return names


def settings(seeds: Seeds) -> str:
    """Return what schemathesis is told besides the document."""
    enqueues = ["enqueueExecution", "enqueueExecutions", "enqueueV1"]
    return f"""
[cache]
enabled = false

[phases.stateful.inference]
algorithms = ["location-headers"]

[auth.openapi.bearer]
bearer = {json.dumps(TOKEN)}

[dictionaries]
functions = {{ values = {json.dumps([*FUNCTIONS, "computeProductRecommendation"])} }}
ids = {{ values = {json.dumps(seeds.all)} }}
ended = {{ values = {json.dumps(seeds.ended)} }}

[parameters]
"path.id" = {{ dictionary = "ids", probability = 0.8 }}
"body.function_name" = {{ dictionary = "functions", probability = 0.9 }}
"body.name" = {{ dictionary = "functions", probability = 0.9 }}
"body.executions[*].function_name" = {{ dictionary = "functions", probability = 0.9 }}

# A document tells no more than what each part of a request may be on its own. Where parts have to fit each other, or
# a function, a request that is right by the document may be refused.

[[operations]]  # which arguments a function takes
include-operation-id = {json.dumps(enqueues)}
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "404", "409"]

[[operations]]  # a call that cannot be taken is refused alone
include-operation-id = "enqueueExecutions"
checks.negative_data_rejection.expected-statuses = ["200", "400", "401", "404", "405"]

[[operations]]  # `first` and `last` exclude each other, which a query cannot be told to
include-operation-id = ["findExecutions", "findExecutionAttempts"]
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "404"]

[[operations]]  # a whole number is written without a point, which a schema cannot tell
include-operation-id = ["listExecutions", "listExecutionAttempts", "listFunctions"]
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "404"]

[[operations]]  # who follows what never ends waits for ever; that the parts of an address fit is not told
include-operation-id = "getExecutionLogs"
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "404"]
phases.stateful.enabled = false
phases.coverage.extra-data-sources.responses = false
phases.fuzzing.extra-data-sources.responses = false
parameters."path.id" = {{ dictionary = "ended", probability = 1.0 }}
"""


def run(folder: Path, url: str, seeds: Seeds, *words: str) -> int:
    """Run schemathesis; return how many requests it made, or fail with what it says."""
    (folder / "openapi.json").write_text(json.dumps(strict_document()))
    (folder / "schemathesis.toml").write_text(settings(seeds))
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", "schemathesis.toml", "run", "openapi.json"]
    done = subprocess.run(
        [*command, "--url", url, "--no-color", "--request-timeout", "30", *words],
        cwd=folder,
        env=os.environ | {"PYTHONWARNINGS": "default"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    made = _CASES.search(done.stdout)
    assert made is not None, done.stdout
    return int(made[1])
