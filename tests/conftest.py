"""What every test stands on: an environment without defer's own settings, and one profile of hypothesis.

Thousands of tests are collected, and live to the end: the garbage collector, which would walk them again and again for
nothing, rests while they come and leaves them out afterwards.
"""

from __future__ import annotations

import gc
import os

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("defer", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("defer")
gc.disable()


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop() -> None:
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.fixture(autouse=True)
def _no_settings_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("DEFER_"):
            monkeypatch.delenv(name)
