"""The trace of a call over HTTP: of its body, else of the request; what cannot be read never refuses a call."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.store.harness import limits
from tests.unit.api.harness import V2, Api

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OTHER = "00-0af7651916cd43dd8448eb211c80319d-b7ad6b7169203332-00"
CALL = {"function_name": "compute"}


@pytest_asyncio.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    api = Api(tmp_path)
    yield api
    await api.close()


async def traces(api: Api) -> list[str | None]:
    """Return those of all calls that were taken, in their order."""
    claim = await api.writer.submit(lambda store: store.claim(limit=10, runner="a", functions=limits("compute")))
    return [running.trace for running in claim.started]


@pytest.mark.parametrize(
    ("headers", "fields", "expected"),
    [
        ({}, {}, None),
        ({"traceparent": PARENT}, {}, PARENT),
        ({"Traceparent": PARENT, "tracestate": "a=1"}, {}, f"{PARENT} a=1"),
        ({"traceparent": PARENT}, {"traceparent": OTHER, "tracestate": "b=2"}, f"{OTHER} b=2"),
        ({"traceparent": PARENT}, {"traceparent": "nonsense"}, PARENT),
        ({"traceparent": "nonsense", "tracestate": "a=1"}, {}, None),
        ({"tracestate": "a=1"}, {}, None),
    ],
)
async def test_a_call_has_the_trace_it_names_or_that_of_its_request(
    api: Api, headers: dict[str, str], fields: dict[str, Any], expected: str | None
) -> None:
    answer = await api.http.put(f"{V2}/executions", json=CALL | fields, headers=headers)

    assert answer.status_code == 201
    assert await traces(api) == [expected]


async def test_each_call_of_a_batch_may_have_a_trace_of_its_own(api: Api) -> None:
    body = {"executions": [CALL | {"traceparent": OTHER}, CALL]}
    await api.http.post(f"{V2}/executions/batch", json=body, headers={"traceparent": PARENT})

    assert await traces(api) == [OTHER, PARENT]


async def test_a_call_in_the_old_form_has_the_trace_of_its_request(api: Api) -> None:
    await api.http.post("/public/v1/enqueue", json={"name": "compute"}, headers={"traceparent": PARENT})

    assert await traces(api) == [PARENT]


async def test_the_trace_is_not_among_the_metadata(api: Api) -> None:
    metadata = {f"key{number}": "x" for number in range(25)}
    answer = await api.http.put(f"{V2}/executions", json=CALL | {"metadata": metadata}, headers={"traceparent": PARENT})

    assert answer.json()["data"]["metadata"] == metadata
