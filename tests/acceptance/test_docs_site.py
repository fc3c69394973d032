"""The documentation is whole: it builds without a warning, leads nowhere wrong, needs no net, and each block is run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.acceptance.built_site import ROOT, Site, build
from tests.acceptance.pages import DOCS, Reader, blocks, shell
from tests.acceptance.trials import TRIALS

TESTS = ROOT / "tests"
PAGES = sorted(str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md") if "decisions" not in path.parts)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return build(tmp_path_factory.mktemp("site"))


def test_every_page_is_in_the_site_and_in_its_navigation(site: Site) -> None:
    written = {str(path.relative_to(DOCS).with_suffix(".html")) for path in DOCS.rglob("*.md")}

    assert written == site.pages.keys()
    assert [page for page in written if page.startswith("decisions/0")]
    assert {link for link in site.pages["options.html"].links if link.endswith("coming-from/celery.html")}


def test_every_link_leads_somewhere(site: Site) -> None:
    links = {(name, link) for name, page in site.pages.items() for link in page.links}
    inner = {(name, link) for name, link in links if not link.startswith(("https://", "http://"))}
    wrong = [site.problem_of(*link) for link in sorted(inner)]

    assert len(inner) > 1_000
    assert [problem for problem in wrong if problem] == []


def test_what_a_page_loads_is_part_of_the_site(site: Site) -> None:
    loads = set(site.loads())
    wrong = [site.problem_of(*load) for load in sorted(loads)]

    assert {address.rpartition("/")[2] for _, address in loads} >= {"overview.png", "site.css", "iframe-worker.js"}
    assert [problem for problem in wrong if problem] == []


def test_markdown_is_read_as_it_was_meant(site: Site) -> None:
    for name, page in site.pages.items():
        assert not re.search(r"^(?:[-*|] |#+ )|```|\]\(|\*\*", page.prose, re.MULTILINE), name


@pytest.mark.parametrize("page", PAGES)
def test_every_block_is_run_by_a_test(page: str) -> None:
    found = blocks(page)
    assert (DOCS / page).read_text().count("```") == 2 * len(found)
    assert bool(found) == (page in TRIALS)
    if found:
        trial = TRIALS[page]
        assert [block for block in found if block.name is None and block.kind not in trial.kinds] == []
        assert Path(page).stem in (TESTS / trial.test).read_text()


def test_who_follows_the_first_page_gets_through(tmp_path: Path) -> None:
    with shell(tmp_path) as typed:
        Reader(typed, tmp_path, {}, {"cd my-app": "cd ."}).follow(blocks("index.md"))
