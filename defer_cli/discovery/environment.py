"""The environment that user code sees: the real one over what `.env` says, without defer's own secrets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from defer_cli.domain.errors import SettingError

_SECRET_WORDS = ("TOKEN", "DATABASE_URL", "WEBHOOK", "SECRET", "PASSWORD")


def function_environment(project: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables for the functions of ``project``."""
    merged = {**_dotenv(project / ".env"), **environ}
    return {name: value for name, value in merged.items() if not is_secret(name)}


def is_secret(name: str) -> bool:
    """Return whether a variable opens defer's own doors: ``DEFER_TOKEN``, ``DEFER_DATABASE_URL`` and their like."""
    return name.upper().startswith("DEFER_") and any(word in name.upper() for word in _SECRET_WORDS)


def _dotenv(file: Path) -> dict[str, str]:
    if not file.is_file():
        return {}
    from dotenv import dotenv_values

    try:
        found = dotenv_values(file)
    except PermissionError:
        raise SettingError(
            "it cannot be read", where=str(file), mend="give this user the right to read it, or remove it"
        ) from None
    return {name: value for name, value in found.items() if value is not None}
