"""Every block of the guide's pages works, and says what its page says."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

import defer_cli
from tests.acceptance.pages import DOCS, Block, Reader, blocks, blocks_in, shell

COMING_FROM = ["defer", "celery", "rq", "huey", "apscheduler"]
PAGES = [
    *(f"{name}.md" for name in ("quickstart", "crons", "retries", "calls", "workflows", "machines")),
    *(f"coming-from/{name}.md" for name in COMING_FROM),
]
LASTING = {"defer dev": "is ready"}
RULE = "rule.md"
CODES = [f"DEF{number:03}" for number in range(1, 14)]
MOST_LINES = 200
FEW_PLUGINS = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": "defer_cli.testing.plugin"}
"""Others that are installed here take four seconds to load; that ours is found by itself is tested elsewhere."""


def rule(code: str) -> list[Block]:
    """Return the blocks of one problem's section."""
    section = re.split(r"^## ", (DOCS / RULE).read_text(), flags=re.MULTILINE)
    (found,) = [text for text in section if text.startswith(code)]
    return blocks_in(found)


@pytest.mark.process
@pytest.mark.parametrize("page", PAGES)
def test_the_blocks_of_a_page_work_as_it_says(tmp_path: Path, page: str) -> None:
    with shell(tmp_path, env=FEW_PLUGINS) as typed:
        Reader(typed, tmp_path, LASTING, {}).follow(blocks(page))


@pytest.mark.process
@pytest.mark.parametrize("code", CODES)
def test_a_problem_is_shown_as_the_rule_says(tmp_path: Path, code: str) -> None:
    project = tmp_path / "my-app"
    project.mkdir()
    told = [block.text.strip() for block in rule(code) if block.kind == "text"]
    with shell(project) as typed:
        Reader(typed, project, {}, {}).follow(rule(code))
        exit_code, said = typed.type("defer check")

    assert exit_code == 3
    assert len(told) == 1
    assert told[0].startswith(f"error[{code}]: ")
    pattern = ".*?".join(re.escape(piece) for piece in told[0].split("…"))
    assert re.search(pattern, said, re.DOTALL), said


@pytest.mark.parametrize("page", [*PAGES, RULE])
def test_a_page_is_read_in_ten_minutes(page: str) -> None:
    assert len((DOCS / page).read_text().splitlines()) < MOST_LINES + 100 * (page == RULE)


@pytest.mark.parametrize("name", COMING_FROM[1:])
def test_the_code_one_comes_from_is_python(name: str) -> None:
    before = [block for block in blocks(f"coming-from/{name}.md") if (block.name or "").startswith("before/")]

    assert before
    for block in before:
        compile(block.text, block.name or "", "exec")


def test_what_apscheduler_is_told_it_takes(tmp_path: Path) -> None:
    (before,) = [b for b in blocks("coming-from/apscheduler.md") if (b.name or "").startswith("before/")]
    (tmp_path / "clock.py").write_text(before.text)

    scheduler = runpy.run_path(str(tmp_path / "clock.py"), run_name="clock")["scheduler"]

    assert [job.id for job in scheduler.get_jobs()] == ["nightly_report", "receipt-12"]


def test_each_name_of_the_old_client_has_one_here() -> None:
    before = "".join(block.text for block in blocks("coming-from/defer.md") if block.kind == "js")
    names = ", ".join(re.findall(r'import \{([^}]+)\} from "@defer/client"', before)).split(",")

    assert len(names) == 3
    for name in names:
        assert re.sub(r"([A-Z])", r"_\1", name.strip()).lower() in defer_cli.__all__
