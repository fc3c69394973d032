"""What every test stands on: an environment without defer's own settings, and one profile of hypothesis."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("defer", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("defer")


@pytest.fixture(autouse=True)
def _no_settings_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("DEFER_"):
            monkeypatch.delenv(name)
