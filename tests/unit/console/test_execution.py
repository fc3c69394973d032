"""The page of an execution, and what it does to it."""

from __future__ import annotations

import pytest

from defer_cli.domain.execution import ExecutionError
from defer_cli.domain.states import State
from tests.store.harness import move, retry
from tests.unit.api.harness import ALL_STATES, UNKNOWN
from tests.unit.console.harness import Console

TABS = ("logs", "arguments", "outcome", "attempts", "children", "metadata")


@pytest.mark.parametrize("state", ALL_STATES)
async def test_every_state_has_every_tab(console: Console, state: str) -> None:
    id = await console.in_state(state)
    for tab in TABS:
        assert "<h1" in await console.page(f"/executions/{id}?tab={tab}")


async def test_an_id_that_nothing_has_is_told_as_a_page(console: Console) -> None:
    assert "It may have been pruned" in await console.page(f"/executions/{UNKNOWN}", 404)


async def test_what_failed_opens_with_its_error_and_what_succeeded_with_its_log(console: Console) -> None:
    failed, succeeded = await console.in_state("failed"), await console.in_state("succeed")
    assert 'id="tab-outcome" href="?tab=outcome" aria-current="page"' in await console.page(f"/executions/{failed}")
    assert 'id="tab-logs" href="?tab=logs" aria-current="page"' in await console.page(f"/executions/{succeeded}")


async def test_an_attempt_has_a_page_that_changes_nothing(console: Console) -> None:
    id = await console.in_state("failed")
    page = await console.page(f"/executions/{id}.1")
    assert f"/executions/{id}/rerun" not in page
    assert f'href="/executions/{id}"' in page


async def test_only_what_moves_is_followed(console: Console) -> None:
    ended, waiting = await console.in_state("succeed"), await console.in_state("created")
    assert "data-live=" in await console.page(f"/executions/{waiting}")
    assert "data-live=" not in await console.page(f"/executions/{ended}")


async def test_a_rerun_leads_to_the_new_execution(console: Console) -> None:
    id = await console.in_state("succeed")
    answer = await console.submit(f"/executions/{id}/rerun")
    assert answer.status_code == 303
    page = await console.page(answer.headers["location"])
    assert "This execution is the rerun." in page
    assert f'rerun of <a class="id" href="/executions/{id}">' in page


async def test_what_waits_is_cancelled(console: Console) -> None:
    id = await console.in_state("created")
    answer = await console.submit(f"/executions/{id}/cancel")
    assert answer.headers["location"] == f"/executions/{id}?done=cancelled"
    assert (await console.backend.ask("execution", id=id))["state"] == "cancelled"


async def test_what_has_ended_cannot_be_cancelled_and_the_page_says_why(console: Console) -> None:
    id = await console.in_state("succeed")
    answer = await console.submit(f"/executions/{id}/cancel")
    assert answer.status_code == 409
    assert "cannot cancel execution in succeed state" in answer.text


async def test_an_abort_asks_once(console: Console) -> None:
    id = await console.in_state("started")
    asked = await console.submit(f"/executions/{id}/abort")
    assert asked.status_code == 200
    assert "Abort this execution of compute()?" in asked.text
    assert (await console.backend.ask("execution", id=id))["state"] == "started"
    await console.submit(f"/executions/{id}/abort", sure="1")
    assert (await console.backend.ask("execution", id=id))["state"] == "aborting"


@pytest.mark.parametrize(
    ("when", "moment"),
    [("2027-01-02 03:04", "2027-01-02T03:04:00+00:00"), ("2027-01-02T04:04+01:00", "2027-01-02T03:04:00+00:00")],
)
async def test_what_waits_is_given_another_moment(console: Console, when: str, moment: str) -> None:
    id = await console.in_state("created")
    answer = await console.submit(f"/executions/{id}/reschedule", when=when)
    assert answer.headers["location"] == f"/executions/{id}?done=rescheduled"
    told = (await console.backend.ask("execution", id=id))["scheduled_at"]
    assert told.replace("Z", "+00:00") == moment


@pytest.mark.parametrize("when", ["soon", "9999-12-31T23:59-23:59", "-5 min", "1 month"])
async def test_a_moment_that_is_none_is_told(console: Console, when: str) -> None:
    id = await console.in_state("created")
    answer = await console.submit(f"/executions/{id}/reschedule", when=when)
    assert answer.status_code == 400
    assert "when" in answer.text


async def test_reading_changes_nothing(console: Console) -> None:
    id = await console.in_state("created")
    for what in ("rerun", "cancel", "abort", "reschedule"):
        assert (await console.browser.get(f"/executions/{id}/{what}")).status_code == 405


async def test_a_retry_shows_what_it_is_retried_for(console: Console) -> None:
    id = await console.stored()
    running = await console.start(id)
    await console.move(retry(running))
    page = await console.page(f"/executions/{id}")
    assert "Error of attempt 1" in page
    assert "retrying" in page


async def test_hostile_text_is_only_text(console: Console) -> None:
    payload = "<img src=x onerror=alert(1)>\"'</textarea><script>alert(2)</script>"
    stored = f'["{payload.replace(chr(34), chr(92) + chr(34))}"]'.encode()
    id = await console.stored(arguments=stored, metadata={payload: payload})
    running = await console.start(id)
    await console.move(
        move(
            "fail",
            running,
            State.FAILED,
            error=ExecutionError(code="ER0003", type=payload, message=payload, traceback=payload, location=payload),
        )
    )
    for tab in TABS:
        page = await console.page(f"/executions/{id}?tab={tab}&done={payload}")
        assert "<img" not in page
        assert "<script>" not in page


async def test_the_whole_of_a_large_result_is_a_file(console: Console) -> None:
    id = await console.in_state("succeed", result=b'"' + b"x" * 500_000 + b'"')
    page = await console.page(f"/executions/{id}?tab=outcome")
    assert len(page) < 120_000
    assert f"/executions/{id}/result.json" in page
    assert len(await console.page(f"/executions/{id}/result.json")) == 500_003
