"""`defer executions`: what it lists, how its pages follow each other, what fits a terminal."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.command import Answer, defer, environment, living
from tests.acceptance.staging import FAR_US, begin, end, error, put
from tests.acceptance.storing import stored
from tests.acceptance.test_cli_terminal import on_a_terminal
from tests.store.harness import call, ids, insert

pytestmark = [pytest.mark.process, pytest.mark.timeout(180)]
LONG_NAME = "compute_product_recommendation"
READY = 'message="runner ready"'


def many(project: Path, count: int, function: str = "greet", **fields: Any) -> list[str]:
    """Store calls; return their ids, newest first."""
    calls = [call(function, scheduled_us=FAR_US, **fields) for _ in range(count)]
    with stored(project) as store:
        insert(store, *calls)
    return ids(calls)[::-1]


def listed(answer: Answer) -> list[str]:
    """Return the ids of a table."""
    return [line.split()[0] for line in answer.out.splitlines()[1:]]


def link(answer: Answer, word: str) -> list[str]:
    """Return the words of the command that a footer gives."""
    (line,) = [line for line in answer.err.splitlines() if line.startswith(f"{word}: defer ")]
    return shlex.split(line)[2:]


def test_they_are_listed_newest_first_with_what_came_of_them(project: Path) -> None:
    with stored(project) as store:
        parent = put(store, "greet", metadata={"user": "12"})
        end(store, begin(store, "greet"), "succeed", seconds=1.5)
        failed = put(store, "broken", parent=parent)
        end(store, begin(store, "broken"), "fail", error=error())
        waiting = put(store, "weekly", came_from="tick", scheduled_us=FAR_US)
    answer = defer(project, "executions")
    rows = answer.out.splitlines()[1:]

    assert (answer.code, answer.err) == (0, "")
    assert [row.split()[:3] for row in rows] == [
        [waiting, "weekly", "created"],
        [failed, "broken", "failed"],
        [parent, "greet", "succeed"],
    ]
    assert "tick" in rows[0]
    assert "2096-10-02 07:06:40 UTC" in rows[0]
    assert f"call in {parent}" in rows[1]
    assert "ER0003" in rows[1]
    assert "1.5 s" in rows[2]
    assert "user=12" in rows[2]


def test_an_empty_store_says_what_to_do(project: Path) -> None:
    answer = defer(project, "executions")

    assert (answer.code, answer.out) == (0, "")
    assert "no executions yet" in answer.err
    assert "defer trigger" in answer.err
    assert not (project / ".defer").exists()


def test_an_empty_list_is_one_document_too(project: Path) -> None:
    shown = json.loads(defer(project, "executions", "--json").out)

    assert shown["items"] == []
    assert shown["page_info"] == {
        "has_next_page": False,
        "has_prev_page": False,
        "start_cursor": None,
        "end_cursor": None,
    }


def test_calls_that_wait_in_the_inbox_are_taken_in_and_listed(project: Path) -> None:
    app = project / "src" / "app.py"
    app.write_text("from defer.greet import greet\n\ngreet('Ada')\n")
    subprocess.run([sys.executable, str(app)], check=True, env=environment(), timeout=60)

    assert not (project / ".defer" / "defer.db").exists()
    assert len(listed(defer(project, "executions"))) == 1


def test_the_footer_leads_through_all_pages_and_back(project: Path) -> None:
    all_ids = many(project, 45, metadata={"note": "a b'c"})
    many(project, 3, "weekly")
    words = ["executions", "--function", "greet", "--metadata", "note=a b'c", "--project", str(project)]
    first = defer(project.parent, *words)
    second = defer(project.parent, *link(first, "older"))
    third = defer(project.parent, *link(second, "older"))
    back = defer(project.parent, *link(third, "newer"))

    assert [listed(page) for page in (first, second, third)] == [all_ids[:20], all_ids[20:40], all_ids[40:]]
    assert "older" not in third.err
    assert "newer" not in first.err
    assert listed(back) == all_ids[20:40]


def test_a_span_ago_stays_the_same_moment_on_the_next_page(project: Path) -> None:
    many(project, 3)
    words = link(defer(project, "executions", "--limit", "2", "--since", "2h"), "older")

    assert words[words.index("--since") + 1].endswith("Z")


@pytest.mark.parametrize("has_runner", [True, False])
def test_more_than_a_page_is_fetched_in_several(has_runner: bool, project: Path) -> None:
    all_ids = many(project, 1_000)
    all_ids = many(project, 200) + all_ids

    def shown() -> dict[str, Any]:
        document: dict[str, Any] = json.loads(defer(project, "executions", "--limit", "1100", "--json").out)
        return document

    if has_runner:
        with living(project, "run", "--port", "off", ready=READY):
            document = shown()
    else:
        document = shown()

    assert [one["id"] for one in document["items"]] == all_ids[:1_100]
    assert document["page_info"]["has_next_page"]
    assert not document["page_info"]["has_prev_page"]


def test_pages_before_a_place_end_there(project: Path) -> None:
    all_ids = many(project, 30)
    cursor = json.loads(defer(project, "executions", "--limit", "26", "--json").out)["page_info"]["end_cursor"]
    answer = defer(project, "executions", "--before", cursor, "--limit", "5")

    assert listed(answer) == all_ids[20:25]
    assert listed(defer(project, *link(answer, "newer"))) == all_ids[15:20]


def test_what_no_filter_lets_pass_is_said(project: Path) -> None:
    many(project, 1)
    answer = defer(project, "executions", "--state", "failed")

    assert (answer.code, answer.out, answer.err) == (0, "", "no execution passes these filters\n")


@pytest.mark.parametrize(
    ("words", "mend"),
    [
        (["--state", "faild"], "did you mean 'failed'?"),
        (["--function", "gret"], "did you mean 'greet'?"),
        (["--function", "goner"], "did you mean 'gone'?"),
        (["--stat", "failed"], "did you mean --state?"),
        (["--functon", "greet"], "did you mean --function?"),
        (["--since", "soon"], "write a span ago"),
        (["--after", "x"], "use the cursor that a page's footer names"),
        (["--after", "c1", "--before", "c2"], "give one of them"),
        (["--limit", "0"], "`defer executions --help`"),
    ],
)
def test_a_wrong_word_exits_2_with_the_right_one(words: list[str], mend: str, project: Path) -> None:
    many(project, 1, "gone")
    answer = defer(project, "executions", *words)

    assert (answer.code, answer.out) == (2, "")
    assert mend in answer.err


def test_a_function_that_is_gone_can_be_asked_for(project: Path) -> None:
    (gone,) = many(project, 1, "gone")

    assert listed(defer(project, "executions", "--function", "gone")) == [gone]


def test_a_data_folder_alone_is_enough(project: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    (only,) = many(project, 1)
    elsewhere = tmp_path_factory.mktemp("elsewhere")

    assert listed(defer(elsewhere, "executions", "--data", str(project / ".defer"))) == [only]
    assert listed(defer(elsewhere, "executions", env={"DEFER_DATA": str(project / ".defer")})) == [only]


@pytest.mark.parametrize("columns", [60, 80, 120, 200])
def test_a_terminal_gets_as_many_columns_as_it_has_room_for(columns: int, project: Path) -> None:
    (only,) = many(project, 1, LONG_NAME, metadata={"user": "12"})
    shown = on_a_terminal(project, "executions", env={"TERM": "xterm", "NO_COLOR": "1"}, columns=columns)
    headings, row, *_ = shown.split("\r\n")

    assert max(map(len, shown.split("\r\n"))) <= columns
    assert row.startswith(only)
    assert ("scheduled at" in headings) is (columns >= 120)
    assert ("user=12" in row) is (columns == 200)
    assert (LONG_NAME in row) is (columns >= 80)


def test_the_state_is_a_word_and_a_colour(project: Path) -> None:
    many(project, 1)

    assert "\x1b[34mcreated\x1b[0m" in on_a_terminal(project, "executions", env={"TERM": "xterm"}, columns=80)
    assert "\x1b" not in defer(project, "executions").out
