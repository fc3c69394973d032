"""What no honest client sends: each is answered with the right refusal, and the runner serves on."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.process.harness import Project, Runner
from tests.process.raw_http import V2, Caller, call

pytestmark = pytest.mark.process

_FUNCTIONS = """
    @defer
    async def quick(*args):
        return None
"""
EXECUTIONS = f"{V2}/executions"
_MIB = 1 << 20
_DEEP = 100_000


class Served:
    def __init__(self, project: Project, runner: Runner) -> None:
        found = re.search(r"url=http://127\.0\.0\.1:(\d+)", runner.until_line("runner ready"))
        assert found is not None
        self.project = project
        self.runner = runner
        self.port = int(found.group(1))


@pytest.fixture(scope="module")
def served(make_project: Callable[[], Project]) -> Iterator[Served]:
    project = make_project()
    project.write(quick=_FUNCTIONS)
    with project.run("--port", "0", "--workers", "1") as runner:
        yield Served(project, runner)
        assert "level=error" not in runner.output


@pytest.fixture
def caller(served: Served) -> Iterator[Caller]:
    """Give a caller; after it a call is still taken, on a connection of its own."""
    caller = Caller(served.port)
    yield caller
    caller.close()
    after = Caller(served.port)
    assert after.enqueue("quick").status == 201
    after.close()


def body(**fields: object) -> bytes:
    return json.dumps({"function_name": "quick", "function_arguments": [], **fields}).encode()


def arguments_of(size: int) -> bytes:
    """Return a body whose arguments, an array of one text, have ``size`` bytes."""
    return b'{"function_name":"quick","function_arguments":["%b"]}' % (b"a" * (size - 4))


NESTED = b"[" * _DEEP + b"]" * _DEEP
BODIES: dict[str, tuple[bytes, set[int]]] = {
    "nothing": (b"", {400}),
    "not JSON": (b"{", {400}),
    "two documents": (b"{}{}", {400}),
    "an array": (b"[]", {400}),
    "a number": (b"1", {400}),
    "null": (b"null", {400}),
    "bad UTF-8": (b'{"function_name":"\xff\xfe"}', {400}),
    "bad UTF-8 in an argument": (b'{"function_name":"quick","function_arguments":["\xc3\x28"]}', {400}),
    "UTF-16": ('{"function_name":"quick"}'.encode("utf-16"), {400}),
    "a byte order mark": (b"\xef\xbb\xbf{}", {400}),
    "NUL": (b'{"function_name":"qu\0ick"}', {400}),
    "an escaped NUL in the name": (b'{"function_name":"qu\\u0000ick"}', {400}),
    "half a character in the name": (b'{"function_name":"\\ud800"}', {400}),
    "half a character in an argument": (b'{"function_name":"quick","function_arguments":["\\ud800"]}', {400}),
    "a deep body": (NESTED, {400}),
    "deep arguments": (b'{"function_name":"quick","function_arguments":%b}' % NESTED, {400}),
    "a deep unknown field": (b'{"function_name":"quick","x":%b}' % NESTED, {400, 201}),
    "a million digits": (b'{"function_name":"quick","function_arguments":[%b]}' % (b"9" * 1_000_000), {400, 413}),
    "5,000 digits": (b'{"function_name":"quick","function_arguments":[%b]}' % (b"9" * 5_000), {400}),
    "a huge exponent": (b'{"function_name":"quick","function_arguments":[1e999999]}', {400}),
    "NaN": (b'{"function_name":"quick","function_arguments":[NaN]}', {400}),
    "an unknown function": (body(function_name="nobody"), {400}),
    "a dunder name": (body(function_name="__import__('os')"), {400}),
    "a long name": (body(function_name="q" * 1_000_000), {400}),
    "a long name of underscores and capitals": (body(function_name="Q_" * 50_000), {400}),
    "arguments of 1 MiB": (arguments_of(_MIB), {201}),
    "arguments of a byte more": (arguments_of(_MIB + 1), {400, 413}),
    "metadata of 10,000 pairs": (body(metadata={f"k{n}": "v" for n in range(10_000)}), {400}),
    "metadata that is no ASCII": (body(metadata={"k": "ü\0"}), {400}),
    "a date of year 0": (body(schedule_for="0000-00-00T00:00:00Z"), {400}),
    "a date of year 9999": (body(schedule_for="9999-12-31T23:59:59.999999Z"), {201, 400}),
    "a date before the epoch": (body(schedule_for="0001-01-01T00:00:00+14:00"), {201, 400}),
    "a date as a number": (body(schedule_for=10**30), {400}),
    **{
        f"{field} is {json.dumps(value)}": (body(**{field: value}), {400})
        for field in ("function_name", "function_arguments", "schedule_for", "discard_after", "metadata")
        for value in (0, True, 1.5, {"a": 1}, [1, "x"])
        if not (field == "function_arguments" and isinstance(value, list))
    },
}


@pytest.mark.parametrize("name", BODIES)
def test_a_call_with_a_hostile_body_gets_the_right_answer(caller: Caller, name: str) -> None:
    sent, statuses = BODIES[name]
    answer = caller.ask("PUT", EXECUTIONS, sent)

    assert answer.status in statuses, answer
    assert set(answer.json) >= ({"data"} if answer.status == 201 else {"error", "message"})
    assert len(answer.body) < 2_000


OTHERS: list[tuple[str, str]] = [
    ("POST", EXECUTIONS),
    ("POST", f"{EXECUTIONS}/batch"),
    ("POST", f"{EXECUTIONS}/none/cancellation"),
    ("PATCH", f"{EXECUTIONS}/none/schedule"),
    ("POST", f"{EXECUTIONS}/none/reruns"),
    ("POST", f"{EXECUTIONS}/none/attempts"),
]


@pytest.mark.parametrize(("method", "path"), OTHERS)
@pytest.mark.parametrize("sent", [b"{", b"1", b"[1]", b"\xff", NESTED, b"9" * 100_000, b'"' * 3])
def test_no_body_breaks_any_other_endpoint(caller: Caller, method: str, path: str, sent: bytes) -> None:
    answer = caller.ask(method, path, sent)

    assert 400 <= answer.status < 500, answer
    assert set(answer.json) >= {"error", "message"}


PATHS: list[bytes] = [
    b"//",
    b"/..",
    b"/../../etc/passwd",
    b"/%2e%2e/%2e%2e/etc/passwd",
    b"/public/v2/executions/..",
    b"/public/v2/executions/%2e%2e%2f%2e%2e",
    b"/public/v2/executions/a%2fb",
    b"/public/v2/executions/a/../b",
    b"//evil.example/public/v2/executions/x",
    b"/public//v2//executions//x",
    b"/public/v2/executions/%00",
    b"/public/v2/executions/x%00y",
    b"/public/v2/executions/%ff%fe",
    b"/public/v2/executions/%f0%9f%92%a9",
    b"/public/v2/executions/%ed%a0%80",
    b"/public/v2/executions/%zz",
    b"/public/v2/executions/'%20or%201=1--",
    b"/public/v2/executions/" + b"a" * 8_000,
    b"/public/v2/executions/x.99999999999999999999999999",
    b"/public/v2/executions/x.-1",
    b"/public/v2/executions/.1",
    b"/public/v2/executions/x/results",
    b"/public/v2/executions/x/logs?follow=" + b"1" * 5_000,
    b"/public/v2/executions/x/nothing",
    b"/public/v2/executions/x?" + b"&".join([b"a=b"] * 1_000),
    b"/public/v1/executions/%00",
    b"/%0d%0aX-Injected:%20yes",
]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path[:60].decode("latin-1"))
def test_a_path_that_leads_nowhere_is_not_found(caller: Caller, path: bytes) -> None:
    answer = caller.ask("GET", path)

    assert answer.status in (400, 404), answer
    assert set(answer.json) >= {"error", "message"}
    assert "x-injected" not in answer.headers
    assert b"root:" not in answer.body


@pytest.mark.parametrize("method", ["DELETE", "TRACE", "OPTIONS", "PROPFIND", "PATCH"])
def test_a_method_that_means_nothing_there_is_told(caller: Caller, method: str) -> None:
    answer = caller.ask(method, EXECUTIONS)

    assert answer.status == 405
    assert "access-control-allow-origin" not in answer.headers


HEADERS: dict[str, tuple[list[tuple[str, str]], int]] = {
    "a page of another site": ([("Host", "{us}"), ("Sec-Fetch-Site", "cross-site")], 403),
    "a page of another origin": ([("Host", "{us}"), ("Origin", "http://evil.example")], 403),
    "a name that points here": ([("Host", "evil.example:{port}")], 403),
    "another port": ([("Host", "127.0.0.1:1")], 403),
    "no host": ([], 400),
    "two hosts": ([("Host", "{us}"), ("Host", "evil.example")], 400),
    "a forwarded host": ([("Host", "evil.example"), ("X-Forwarded-Host", "{us}")], 403),
    "a client of Node": ([("Host", "{us}"), ("sec-fetch-mode", "cors"), ("Authorization", "Basic Og==")], 201),
    "any token where there is none": ([("Host", "{us}"), ("Authorization", "Bearer \xff")], 201),
    "odd but harmless headers": ([("Host", "{us}"), ("X-\u007e", "\xff\xfe"), ("Cookie", "a" * 9_000)], 201),
    "a content type of its own": ([("Host", "{us}"), ("Content-Type", "text/xml; charset=utf-7")], 201),
}


@pytest.mark.parametrize("name", HEADERS)
def test_headers_decide_who_may_change_something(served: Served, caller: Caller, name: str) -> None:
    given, status = HEADERS[name]
    us = f"127.0.0.1:{served.port}"
    headers = [(header, value.format(us=us, port=served.port)) for header, value in given]

    answer = caller.ask("PUT", EXECUTIONS, call("quick"), headers)

    assert answer.status == status
    assert not [header for header in answer.headers if header.startswith("access-control-")]
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("framing", ["Content-Length: 1073741824", "Transfer-Encoding: chunked"])
def test_a_gigabyte_is_refused_after_a_little_of_it(served: Served, caller: Caller, framing: str) -> None:
    before = rss_mib(served.runner.pid)
    block = b"a" * (1 << 20)
    part = block if framing.startswith("Content") else b"100000\r\n" + block + b"\r\n"
    caller.write(f"PUT {EXECUTIONS} HTTP/1.1\r\nHost: 127.0.0.1\r\n{framing}\r\n\r\n".encode(), *[part] * 64)

    answer = caller.read()

    assert answer is None or answer.status == 413  # its last bytes may have crossed our hanging up
    assert rss_mib(served.runner.pid) - before < 16


def test_a_body_larger_than_any_may_be_is_told_so(caller: Caller) -> None:
    answer = caller.ask("PUT", EXECUTIONS, b" " * (_MIB + (1 << 16) + 1))

    assert (answer.status, answer.json["error"]) == (413, "payload_too_large")


def test_who_expects_to_be_told_to_continue_is_told_so_only_when_let_in(caller: Caller) -> None:
    for host, first in ((b"evil.example", 403), (b"127.0.0.1", 100)):
        head = b"PUT %b HTTP/1.1\r\nHost: %b\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n"
        sent = call("quick")
        asking = Caller(caller.port)
        asking.write(head % (EXECUTIONS.encode(), host, len(sent)))
        answers: list[Any] = [asking.read()]
        if first == 100:
            asking.write(sent)
            answers.append(asking.read())
        asking.close()

        assert [answer.status for answer in answers] == ([403] if first == 403 else [100, 201])


def test_one_request_hidden_in_another_is_never_answered(caller: Caller) -> None:
    hidden = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    for framing in (
        b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" % (len(hidden) + 5),
        b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        b"Content-Length: 0\r\nContent-Length: %d\r\n\r\n" % len(hidden),
        b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        b"Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: %d\r\n\r\n" % len(hidden),
    ):
        smuggler = Caller(caller.port)
        smuggler.write(b"PUT %b HTTP/1.1\r\nHost: 127.0.0.1\r\n" % EXECUTIONS.encode() + framing + hidden)
        answers = [smuggler.read(), smuggler.read()]
        smuggler.close()

        assert [answer and answer.status for answer in answers] == [400, None]


def rss_mib(pid: int) -> float:
    with open(f"/proc/{pid}/status") as status:
        found = re.search(r"VmRSS:\s+(\d+) kB", status.read())
    assert found is not None
    return int(found.group(1)) / 1024
