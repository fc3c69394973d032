"""The table of moves, and the page drawn from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from defer_cli.domain.states import FINAL_STATES, MOVES, RUNNING_STATES, State
from docs.draw_states import draw

PAGE = Path(__file__).parents[3] / "docs" / "states.md"


def test_the_page_is_drawn_from_the_table() -> None:
    assert PAGE.read_text() == draw()


def test_every_move_has_a_name_of_its_own() -> None:
    assert len({move.name for move in MOVES}) == len(MOVES)


@pytest.mark.parametrize("state", sorted(FINAL_STATES))
def test_nothing_leaves_a_final_state(state: State) -> None:
    assert [move.name for move in MOVES if state in move.sources] == []


@pytest.mark.parametrize("state", sorted(set(State) - FINAL_STATES))
def test_every_other_state_can_be_left(state: State) -> None:
    assert [move.name for move in MOVES if state in move.sources and move.target is not state]


def test_every_state_can_be_reached_from_a_call() -> None:
    reached = {State.CREATED}
    for _ in MOVES:
        reached |= {move.target for move in MOVES if move.sources & reached}

    assert reached == set(State)


def test_an_aborting_execution_only_ever_becomes_aborted() -> None:
    assert {move.target for move in MOVES if State.ABORTING in move.sources} == {State.ABORTED}


def test_a_state_knows_whether_it_is_final() -> None:
    assert {state for state in State if state.is_final} == FINAL_STATES


def test_no_running_state_is_final() -> None:
    assert not RUNNING_STATES & FINAL_STATES
