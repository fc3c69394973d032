"""Whatever is done in whatever order, a store does what a model of a few lines does."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.store.harness import ENGINES
from tests.store.machine import StoreAndModel


@pytest.mark.parametrize("engine_name", sorted(ENGINES))
def test_a_store_does_what_its_model_does(engine_name: str) -> None:
    machine = type("Machine", (StoreAndModel,), {"engine_name": engine_name})
    run_state_machine_as_test(machine, settings=settings(max_examples=100, stateful_step_count=60, deadline=None))
