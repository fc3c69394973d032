"""Calls that come in: what is stored, what is answered, what is refused and with which words."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from defer_cli.domain.arguments import LARGEST_BYTES
from tests.unit.api.harness import Api, refused

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    api = Api(tmp_path_factory.mktemp("api"))  # one for all: no call here cares for the others
    yield api
    await api.close()


async def test_a_call_is_answered_with_the_execution_as_it_is_stored(api: Api) -> None:
    told = await api.enqueue(
        "compute",
        1,
        {"a": None},
        schedule_for="2026-01-01T13:00:00.000Z",
        discard_after="2026-01-01T15:00:00+01:00",
        metadata={"user": "12"},
    )

    assert told == (await api.ask("GET", f"executions/{told['id']}")).json()["data"]
    assert (told["state"], told["scheduled_at"], told["discard_after"], told["metadata"]) == (
        "created",
        "2026-01-01T13:00:00Z",
        "2026-01-01T14:00:00Z",
        {"user": "12"},
    )
    assert (await api.ask("GET", f"executions/{told['id']}/arguments")).json() == [1, {"a": None}]


@pytest.mark.parametrize(
    "body", [{"function_name": "compute"}, {"function_name": "compute", "function_arguments": None}]
)
async def test_a_call_without_arguments_needs_none(api: Api, body: object) -> None:
    answer = await api.ask("PUT", "executions", body)

    assert answer.status_code == 201


async def test_null_stands_for_what_may_be_absent(api: Api) -> None:
    absent = dict.fromkeys(["schedule_for", "discard_after", "metadata", "id", "key", "called_at", "unheard_of"])
    told = await api.enqueue("compute", **absent)

    assert (told["discard_after"], told["metadata"]) == (None, {})


@pytest.mark.parametrize("moment", ["2026-01-01T11:59:59.999Z", "0001-01-01T00:00:00+14:00"])
async def test_a_time_that_has_passed_is_now(api: Api, moment: str) -> None:
    assert (await api.enqueue(schedule_for=moment))["scheduled_at"] == "2026-01-01T12:00:00Z"


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59.999999-14:00", "9999-12-31T23:59:59.999999Z"])
async def test_a_time_at_the_end_of_the_calendar_is_stored(api: Api, moment: str) -> None:
    told = await api.enqueue(schedule_for=moment, discard_after=moment)

    assert told == (await api.ask("GET", f"executions/{told['id']}")).json()["data"]


@pytest.mark.parametrize("name", ["greet_user", "greetUser", "GreetUser"])
async def test_a_function_is_found_by_its_name_in_javascript_too(api: Api, name: str) -> None:
    assert (await api.enqueue(name, "Ada"))["function_name"] == "greet_user"


@pytest.mark.parametrize("name", ["createUser", "", "bound compute2", "é", "x" * 100])
async def test_a_function_that_is_not_there_is_named(api: Api, name: str) -> None:
    message = await refused(api, {"function_name": name})

    assert message.startswith(f'cannot find function "{name}"')


async def test_the_nearest_known_name_is_told(api: Api) -> None:
    assert await refused(api, {"function_name": "greetUsr"}) == (
        'cannot find function "greetUsr"; did you mean greet_user?'
    )


async def test_a_long_name_is_cut(api: Api) -> None:
    assert len(await refused(api, {"function_name": "x" * 1_000_000})) < 200


async def test_a_cron_takes_no_calls(api: Api) -> None:
    assert await refused(api, {"function_name": "weekly"}) == (
        '"weekly" is a cron, which takes no calls; run it with `defer trigger weekly`'
    )


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("greet_user", [], "function_arguments: greet_user() got 0 arguments and takes name; give 1"),
        ("greet_user", [1, 2], "function_arguments: greet_user() got 2 arguments and takes name; give 1"),
        ("compute", {"a": 1}, "function_arguments: it is not an array"),
        ("compute", "x", "function_arguments: it is not an array"),
    ],
)
async def test_arguments_that_do_not_fit_are_refused(api: Api, name: str, arguments: object, message: str) -> None:
    assert await refused(api, {"function_name": name, "function_arguments": arguments}) == message


async def test_keyword_arguments_are_stored_beside_the_others(api: Api) -> None:
    told = await api.enqueue("resize", keyword_arguments={"size": 3})

    arguments = (await api.ask("GET", f"executions/{told['id']}/arguments")).json()
    assert arguments == {"args": [], "kwargs": {"size": 3}}


@pytest.mark.parametrize(("given", "problem"), [([], "is not an object"), ({"x": 1}, "missing a required argument")])
async def test_keyword_arguments_that_do_not_fit_are_refused(api: Api, given: object, problem: str) -> None:
    assert problem in await refused(api, {"function_name": "resize", "keyword_arguments": given})


@pytest.mark.parametrize("wrong", [1, "x", True, [], {}])
@pytest.mark.parametrize(
    "field", ["function_name", "schedule_for", "discard_after", "metadata", "id", "key", "called_at"]
)
async def test_a_field_of_another_type_is_told_by_its_path(api: Api, field: str, wrong: object) -> None:
    fits = (field in ("function_name", "id", "key") and isinstance(wrong, str)) or (field == "metadata" and wrong == {})
    message = await refused(api, {"function_name": "compute", field: wrong}) if not fits else field

    assert message.startswith(field)


@pytest.mark.parametrize("body", [b"[]", b"null", b"1", b'"x"', b"", b"{}"])
async def test_a_body_that_is_no_call_is_refused(api: Api, body: bytes) -> None:
    assert await refused(api, body)


@pytest.mark.parametrize(
    "moment", ["2026-01-01", "2026-01-01T00:00:00", "now", "+010000-01-01T00:00:00.000Z", "2026-13-01T00:00:00Z", ""]
)
async def test_a_time_without_an_offset_or_a_day_is_refused(api: Api, moment: str) -> None:
    assert (await refused(api, {"function_name": "compute", "schedule_for": moment})).startswith("schedule_for: ")


@pytest.mark.parametrize(
    "metadata",
    [{"k": 1}, {"k": ""}, {"": "v"}, {"k": "v" * 257}, {"k" * 257: "v"}, {"k": "é"}, {str(n): "v" for n in range(26)}],
)
async def test_metadata_over_its_limits_are_refused(api: Api, metadata: object) -> None:
    assert (await refused(api, {"function_name": "compute", "metadata": metadata})).startswith("metadata")


async def test_metadata_at_their_limits_are_stored(api: Api) -> None:
    metadata = {f"{number:0256}": "~" * 256 for number in range(25)}

    assert (await api.enqueue(metadata=metadata))["metadata"] == metadata


async def test_arguments_of_a_mebibyte_are_stored_and_those_of_one_byte_more_are_not(api: Api) -> None:
    text = "x" * (LARGEST_BYTES - 4)
    body = json.dumps({"function_name": "compute", "function_arguments": [text]})

    assert (await api.ask("PUT", "executions", body.encode())).status_code == 201
    message = await refused(api, body.replace("xx", "xxx", 1).encode(), 413)
    assert message.startswith("function_arguments: arguments: 1,048,577 bytes of JSON, the limit is 1,048,576")


async def test_arguments_that_grow_over_the_limit_when_written_are_too_large_as_well(api: Api) -> None:
    assert "bytes of JSON" in await refused(
        api, b'{"function_name":"compute","function_arguments":[' + b",".join([b"1e15"] * 100_000) + b"]}", 413
    )


HOSTILE = {
    "depth 100,000": b"[" * 100_000 + b"]" * 100_000,
    "depth 101": b"[" * 102 + b"]" * 102,
    "a number of a million digits": b"[" + b"9" * 1_000_000 + b"]",
    "a number that is infinite": b"[1e400]",
    "NaN": b"[NaN]",
    "Infinity": b"[-Infinity]",
    "half a character": rb'["\ud800"]',
    "half a character as a key": rb'[{"\udfff": 1}]',
    "bytes that are no text": b'["\xff"]',
    "a control character": b'["\x00"]',
    "an end that is missing": b"[1",
    "a comma too many": b"[1,]",
    "a quote of Python": b"['x']",
}


@pytest.mark.parametrize("arguments", HOSTILE.values(), ids=HOSTILE)
async def test_hostile_arguments_are_refused(api: Api, arguments: bytes) -> None:
    assert await refused(api, b'{"function_name":"compute","function_arguments":' + arguments + b"}")


async def test_wherever_a_depth_is_found_to_be_too_much_it_is_refused(api: Api) -> None:
    for depth in range(850, 1_010):
        body = b'{"function_name":"compute","function_arguments":' + b"[" * depth + b"]" * depth + b"}"
        assert "too deep" in (message := await refused(api, body)) or "deeper than" in message


@pytest.mark.parametrize("field", [b'"unknown"', b'"function_name"', b'"metadata"', b'"id"'])
@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
async def test_hostile_values_of_any_field_are_refused_or_ignored(api: Api, field: bytes, value: bytes) -> None:
    answer = await api.ask("PUT", "executions", b'{"function_name":"compute",' + field + b":" + value + b"}")

    assert answer.status_code in ((400, 201) if field == b'"unknown"' else (400,))


async def test_of_a_key_that_is_given_twice_the_last_one_counts(api: Api) -> None:
    body = b'{"function_name":"x","function_name":"compute","function_arguments":[{"a":1,"a":2}]}'
    told = (await api.ask("PUT", "executions", body)).json()["data"]

    assert (await api.ask("GET", f"executions/{told['id']}/arguments")).json() == [{"a": 2}]


@pytest.mark.parametrize(
    "value", [2**63, -(2**70), 10**4000, 1.5, 0.1, -0.0, "\u0000", "😀", "\u2028", [], {}, None, True]
)
async def test_any_json_arrives_as_it_was_sent(api: Api, value: object) -> None:
    told = await api.enqueue("compute", value)

    assert (await api.ask("GET", f"executions/{told['id']}/arguments")).json() == [value]
