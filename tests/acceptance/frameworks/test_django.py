"""Calls that belong to one of Django's transactions."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.acceptance.frameworks.serving import Server, Site

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def django(site: Site) -> Iterator[Server]:
    with closing(sqlite3.connect(site.root / "members.sqlite3")) as members, members:
        members.execute("CREATE TABLE members (name TEXT PRIMARY KEY)")
    with site.serving("uvicorn --app-dir src django_app:asgi", "--port", "{port}") as server:
        yield server


def test_a_call_on_commit_is_made_once_the_transaction_is_committed(site: Site, django: Server) -> None:
    site.with_runner()

    assert django.post("/members/gail").status == 201
    site.until_letters("gail")


def test_a_transaction_that_is_rolled_back_makes_no_call(site: Site, django: Server) -> None:
    site.with_runner()
    django.post("/members/hal")
    site.until_letters("hal")

    assert django.post("/members/hal").status == 500
    django.until_logged("UNIQUE constraint failed")
    django.post("/members/ida")  # its letter comes after one that the second request had asked for
    site.until_letters("hal", "ida")
