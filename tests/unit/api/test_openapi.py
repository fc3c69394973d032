"""The document holds what is served, nothing else, in OpenAPI's own words; whether it is true of the answers is
schemathesis' to say (tests/process/test_openapi_holds.py)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from starlette.routing import Route

from defer_cli.api.app import PARTS
from defer_cli.api.metrics import metrics_routes
from defer_cli.api.openapi import document
from tests.unit.api.harness import Api

DOCUMENT = document()
OPERATIONS = {(method.upper(), path): one for path, item in DOCUMENT["paths"].items() for method, one in item.items()}


def parts_of(thing: Any) -> Iterator[dict[str, Any]]:
    """Go over every object of the document."""
    if isinstance(thing, dict):
        yield thing
    for part in thing.values() if isinstance(thing, dict) else thing if isinstance(thing, list) else ():
        yield from parts_of(part)


def test_it_is_valid_openapi() -> None:
    OpenAPIV31SpecValidator(DOCUMENT).validate()


async def test_what_it_tells_of_is_what_is_served(api: Api) -> None:
    api.backend.vitals = object()  # type: ignore[assignment]
    routes = [route for part in PARTS for route in part(api.backend)]
    served = {(method, route.path) for route in routes if isinstance(route, Route) for method in route.methods or ()}

    assert metrics_routes in PARTS
    assert len(served) == sum(len(route.methods or ()) for route in routes if isinstance(route, Route))
    assert all(isinstance(route, Route) for route in routes)
    assert served - {("HEAD", path) for _, path in OPERATIONS} == set(OPERATIONS)


def test_every_operation_has_a_name_and_words_of_its_own() -> None:
    names = [one["operationId"] for one in OPERATIONS.values()]

    assert len(set(names)) == len(names)
    assert all(one["summary"] for one in OPERATIONS.values())


def test_every_tag_is_told_and_every_told_one_is_used() -> None:
    used = {tag for one in OPERATIONS.values() for tag in one["tags"]}

    assert used == {tag["name"] for tag in DOCUMENT["tags"]}


def test_every_schema_is_referred_to() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    referred = {part["$ref"] for part in parts_of(DOCUMENT) if "$ref" in part}

    assert {f"#/components/schemas/{name}" for name in schemas} == {one for one in referred if "/schemas/" in one}


@pytest.mark.parametrize("place", sorted(OPERATIONS), ids=" ".join)
def test_every_operation_says_how_it_refuses(place: tuple[str, str]) -> None:
    operation = OPERATIONS[place]

    assert {"400", "403", "408", "413", "414", "431", "500", "503"} <= set(operation["responses"])
    assert ("401" in operation["responses"]) is ("security" not in operation)
    assert ("404" in operation["responses"]) is ("{id}" in place[1])


def test_every_example_is_what_it_is_an_example_of() -> None:
    given = [(part["schema"], part["example"]) for part in parts_of(DOCUMENT) if {"schema", "example"} <= set(part)]
    for part in parts_of(DOCUMENT):
        if {"schema", "examples"} <= set(part):
            given += [(part["schema"], one["value"]) for one in part["examples"].values()]

    assert len(given) > 20
    for schema, example in given:
        OAS31Validator(schema | {"components": DOCUMENT["components"]}).validate(example)


def test_what_is_sent_holds_all_its_fields() -> None:
    execution = DOCUMENT["components"]["schemas"]["ExecutionObject"]

    assert set(execution["required"]) == set(execution["properties"])


async def test_it_is_the_same_each_time(api: Api) -> None:
    first, second = [await api.send("GET", "/openapi.json") for _ in range(2)]

    assert first.status_code == 200
    assert first.headers["content-type"] == "application/json"
    assert msgspec.json.decode(first.content) == DOCUMENT
    assert (second.content, second.headers["etag"]) == (first.content, first.headers["etag"])


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', "*"])
async def test_who_holds_it_is_not_sent_it_again(api: Api, form: str) -> None:
    etag = (await api.send("GET", "/openapi.json")).headers["etag"]
    answer = await api.http.get("/openapi.json", headers={"if-none-match": form.format(etag)})

    assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", etag)


@pytest.mark.parametrize("given", ["", '"other"', "etag"])
async def test_who_holds_another_one_is_sent_it(api: Api, given: str) -> None:
    answer = await api.http.get("/openapi.json", headers={"if-none-match": given})

    assert answer.status_code == 200
