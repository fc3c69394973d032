"""Whatever is done in whatever order, a store does what a model of a few lines does."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.faults.figures import rounds, tell
from tests.store.harness import ENGINES
from tests.store.machine import StoreAndModel

EXAMPLES, STEPS = rounds(40, 300), 60


@pytest.mark.timeout(900)
@pytest.mark.parametrize("engine_name", sorted(ENGINES))
def test_a_store_does_what_its_model_does(engine_name: str) -> None:
    machine = type("Machine", (StoreAndModel,), {"engine_name": engine_name})
    run_state_machine_as_test(
        machine, settings=settings(max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None)
    )

    tell(
        *(2, 3, 4, 5, 6, 7),
        fault=f"up to {STEPS} steps in any order, by a store and by a model of it",
        runs=EXAMPLES,
        found="they differ: 0",
    )
