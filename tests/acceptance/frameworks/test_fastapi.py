"""A background function where FastAPI takes a function: in a thread, as a dependency, as a task."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.acceptance.frameworks.serving import Server, Site

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def fastapi(site: Site) -> Iterator[Server]:
    with site.serving("uvicorn --app-dir src fastapi_app:app", "--port", "{port}") as server:
        yield server


def test_a_handler_in_a_thread_blocks_until_the_call_is_on_disk(site: Site, fastapi: Server) -> None:
    site.without_runner()
    reply = fastapi.post("/sync/welcome/jo")

    assert reply.status == 202
    assert reply.data["id"] in {call.id for call in site.in_inbox()}


def test_a_function_as_a_dependency_gets_its_arguments_from_the_request(site: Site, fastapi: Server) -> None:
    site.without_runner()
    reply = fastapi.post("/dependency/welcome/kim", {"age": 7})  # its annotations say that this is `profile`

    (call,) = [call for call in site.in_inbox() if call.id == reply.data["id"]]
    assert call.arguments == b'["kim",{"age":7}]'


def test_a_function_as_a_background_task_is_called_after_the_answer(site: Site, fastapi: Server) -> None:
    site.with_runner()

    assert fastapi.post("/after/welcome/lea").status == 202
    site.until_letters("lea")
