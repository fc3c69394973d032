"""Writes the rows out as OpenAPI; the schemas are those of the types that are read and written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from inspect import cleandoc
from typing import Any

import msgspec

from defer_cli.api.openapi_parts.faults import EVERYWHERE, FAULTS
from defer_cli.api.openapi_parts.words import JSON, Answer, Operation, Parameter
from defer_cli.web.answers import code_of
from defer_cli.web.guard import OPEN_PATHS

Json = dict[str, Any]


def paths_and_components(operations: Sequence[Operation]) -> tuple[Json, Json]:
    """Return what goes under ``paths`` and under ``components``."""
    answers = [answer for operation in operations for answer in operation.answers.values()] + list(FAULTS.values())
    taken, schemas_taken = _schemas(_taken(operations))
    given, schemas_given = _schemas(_given(answers))
    for schema in schemas_given.values():
        _hold_all(schema)
    writer = _Writer(operations, taken | given)
    paths: Json = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = writer.operation(operation)
    responses = {_name(status): writer.answer(fault) for status, fault in FAULTS.items()}
    return paths, {"schemas": dict(sorted((schemas_taken | schemas_given).items())), "responses": responses}


def _taken(operations: Iterable[Operation]) -> list[Any]:
    bodies = [operation.body for operation in operations if operation.body is not None]
    return bodies + [parameter.kind for operation in operations for parameter in operation.parameters]


def _given(answers: Iterable[Answer]) -> list[Any]:
    return [kind for answer in answers for kind in (*answer.content.values(), *answer.parts)]


def _schemas(kinds: Sequence[Any]) -> tuple[dict[int, Json], Json]:
    """Return the schema of each type, by the type's identity, and what they refer to by name."""
    schemas, named = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    for schema in named.values():
        if "description" in schema:
            schema["description"] = cleandoc(schema["description"]).replace("``", "`")
    return {id(kind): schema for kind, schema in zip(kinds, schemas, strict=True)}, named


def _hold_all(schema: Json) -> None:
    """Say that what we send holds all its fields: a default is for who makes the object, not for who reads it."""
    for name, field in schema.get("properties", {}).items():
        if "default" in field:
            del field["default"]
            schema["required"].append(name)


def _name(status: int) -> str:
    return code_of(status).title().replace("_", "")


class _Writer:
    """Knows the schema of every type in the rows, and which operations take an execution's id."""

    def __init__(self, operations: Sequence[Operation], schemas: Mapping[int, Json]) -> None:
        self._schemas = schemas
        self._takers = [one for one in operations if "{id}" in one.path]

    def operation(self, row: Operation) -> Json:
        written: Json = {"operationId": row.name, "tags": [row.tag], "summary": row.summary}
        if row.description:
            written["description"] = row.description
        if row.is_deprecated:
            written["deprecated"] = True
        if row.path in OPEN_PATHS:
            written["security"] = []
        if row.parameters:
            written["parameters"] = [self._parameter(one) for one in row.parameters]
        if row.body is not None:
            content = {"schema": self._schemas[id(row.body)]} | _named_examples(row.examples)
            written["requestBody"] = {"required": row.is_body_required, "content": {JSON: content}}
        answers = {str(status): self.answer(one, row) for status, one in row.answers.items()}
        for status in (*EVERYWHERE, *(() if row.path in OPEN_PATHS else (401,)), *row.faults):
            answers.setdefault(str(status), {"$ref": f"#/components/responses/{_name(status)}"})
        return written | {"responses": dict(sorted(answers.items()))}

    def answer(self, row: Answer, operation: Operation | None = None) -> Json:
        written: Json = {"description": row.description}
        if row.headers:
            written["headers"] = {
                name: {"description": told, "schema": {"type": "string"}} for name, told in row.headers.items()
            }
        if row.content:
            written["content"] = {
                media: {"schema": self._schemas[id(kind)]} | _example(row.example)
                for media, kind in row.content.items()
            }
        if row.id_at is not None and operation is not None:
            value = f"$response.body#{row.id_at}"
            written["links"] = {
                one.name: {"operationId": one.name, "parameters": {"id": value}}
                for one in self._takers
                if one.is_deprecated == operation.is_deprecated
            }
        return written

    def _parameter(self, row: Parameter) -> Json:
        written = {"name": row.name, "in": row.where, "required": row.where == "path", "description": row.description}
        return written | {"schema": self._schemas[id(row.kind)]} | _example(row.example)


def _example(example: Any) -> Json:
    return {} if example is None else {"example": example}


def _named_examples(examples: Mapping[str, Any]) -> Json:
    return {"examples": {name: {"value": value} for name, value in examples.items()}} if examples else {}
