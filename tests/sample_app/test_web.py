"""The sample's web app behind a real server, beside a real runner, as its users and their browsers see it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from email import message_from_bytes
from pathlib import Path

import pytest
from starlette.requests import Request

from defer.compute_product_recommendation import compute_product_recommendation
from defer_cli.testing import Sandbox
from marketplace.ratings import read_ratings
from marketplace.recommender import Recommender
from tests.acceptance.command import defer
from tests.acceptance.frameworks.serving import Reply, Server, Site
from tests.process.harness import until
from web import show_recommendation

pytestmark = pytest.mark.process
ROWS = 1_000
COMMAND = "uvicorn --app-dir src web:app"
APP = Path(__file__).parents[2] / "sample_app"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A copy of the app that has only the first ratings."""
    site = Site(tmp_path_factory.mktemp("sample_app"), source=APP)
    (site.root / "data").mkdir()
    with gzip.open(APP / "data" / "ratings.csv.gz", "rt") as whole:
        head = "".join(line for _, line in zip(range(ROWS + 1), whole, strict=False))
    (site.root / "data" / "ratings.csv.gz").write_bytes(gzip.compress(head.encode()))
    with pytest.MonkeyPatch.context() as patch:
        for name in ("OUTBOX", "SMTP_URL"):
            patch.delenv(name, raising=False)
        site.with_runner()
        yield site
    site.close()


@pytest.fixture(scope="module")
def served(site: Site) -> Iterator[Server]:
    with site.serving(COMMAND, "--port", "{port}") as server:
        yield server


@pytest.fixture
def web(site: Site, served: Server) -> Server:
    """The server; a runner is there when the test begins."""
    site.with_runner()
    return served


def ask(web: Server, user: int) -> Reply:
    reply = web.post(f"/users/{user}/recommendation")
    assert reply.status == 202, web.output
    return reply


def until_done(web: Server, link: str) -> Reply:
    until(lambda: web.get(link).data["state"] not in {"created", "started"}, f"{link} is done")
    return web.get(link)


def test_who_asks_gets_a_link_to_the_products_and_a_mail(site: Site, web: Server) -> None:
    asked = ask(web, 3).data
    done = until_done(web, asked["link"])

    picks = Recommender(read_ratings(site.root / "data" / "ratings.csv.gz")).recommend(3)
    assert done.status == 200
    assert done.data == {"id": asked["id"], "state": "succeed", "products": [pick.product for pick in picks]}
    mail = message_from_bytes((site.root / "outbox" / "3.eml").read_bytes())
    assert mail["Message-ID"] == f"<{asked['id']}@marketplace.example>"


def test_who_asks_twice_a_day_gets_one_mail(site: Site, web: Server) -> None:
    first = ask(web, 4).data
    until_done(web, first["link"])
    second = ask(web, 4).data

    assert second == first | {"state": "succeed"}
    execution = site.stored(first["id"])
    assert execution is not None
    assert execution.attempt == 1


def test_an_execution_is_found_by_its_user(site: Site, web: Server) -> None:
    asked = ask(web, 6).data
    found = defer(site.root, "executions", "--metadata", "user=6", "--json")

    assert asked["id"] in found.out


@pytest.mark.parametrize(
    ("path", "status", "error"),
    [
        ("/users/ann/recommendation", 400, "'ann' is not a user: use the number, such as /users/1/recommendation"),
        ("/users/999999/recommendation", 404, "there is no user 999999"),
        ("/users", 404, "Not Found"),
    ],
)
def test_a_wrong_user_is_refused_in_words(web: Server, path: str, status: int, error: str) -> None:
    assert web.post(path) == Reply(status, {"error": error})


def test_an_unknown_execution_is_not_found(web: Server) -> None:
    assert web.get("/executions/nonsense") == Reply(404, {"error": "there is no such recommendation"})


def test_an_execution_of_another_function_is_not_shown(site: Site, web: Server) -> None:
    id = defer(site.root, "trigger", "weekly_product_recommendations", "--delay", "1h").out.strip()

    assert site.stored(id) is not None
    assert web.get(f"/executions/{id}").status == 404


def test_without_a_runner_requests_are_taken_and_answers_put_off(site: Site, web: Server) -> None:
    site.without_runner()
    asked = ask(web, 7).data

    assert web.get(asked["link"]) == Reply(503, {"error": "try again in a moment"})

    site.with_runner()
    assert until_done(web, asked["link"]).data["state"] == "succeed"


def test_a_recommendation_that_was_cancelled_says_so(site: Site, web: Server) -> None:
    site.without_runner()
    asked = ask(web, 8).data
    cancelled = defer(site.root, "cancel", asked["id"])
    site.with_runner()

    assert cancelled.code == 0, cancelled.err
    assert web.get(asked["link"]) == Reply(200, {"id": asked["id"], "state": "cancelled"})


async def test_a_recommendation_that_failed_says_no_more_than_that(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMTP_URL", "nonsense")
    execution = await compute_product_recommendation(3)
    drained = await sandbox.drain(check=False)
    response = await show_recommendation(Request({"type": "http", "path_params": {"id": execution.id}}))

    assert drained.failed == 1
    assert json.loads(bytes(response.body)) == {"id": execution.id, "state": "failed"}


def test_the_readme_serves_it_with_the_command_of_these_tests() -> None:
    assert f"```\n{COMMAND}\n```" in (APP / "README.md").read_text()
