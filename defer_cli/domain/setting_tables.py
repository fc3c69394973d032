"""Settings in a table of their own below ``[tool.defer]``: where each comes from, and what is none of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from defer_cli.domain.errors import SettingError


def table_name(table: str) -> str:
    """Return a table as it is written."""
    return f"[tool.defer.{table}]"


def given_in_table(
    table: str,
    names: Iterable[str],
    *,
    environ: Mapping[str, str],
    dotenv: Mapping[str, str | None],
    pyproject: Mapping[str, object],
) -> dict[str, tuple[object, str]]:
    """Return each setting that is not left to its default, as it was written, and the source that wins.

    That is ``DEFER_<TABLE>_<NAME>`` of the environment, else of ``.env``, else the table in ``pyproject``, which is
    ``[tool.defer]``.
    """
    written = pyproject.get(table)
    given: dict[str, tuple[object, str]] = {}
    for name in names:
        variable = f"DEFER_{table.upper()}_{name.upper()}"
        if environ.get(variable):
            given[name] = environ[variable], f"{variable} in the environment"
        elif dotenv.get(variable):
            given[name] = dotenv[variable], f"{variable} in .env"
        elif isinstance(written, Mapping) and name in written:
            given[name] = written[name], _place(table, name)
    return given


def checked_table(
    table: str, names: Iterable[str], pyproject: Mapping[str, object], *, mend: str, mends: Mapping[str, str]
) -> None:
    """Raise ``SettingError`` when what stands under a table's name is none, or has settings that it does not know.

    ``mend`` says how to write the table; ``mends`` what to do instead, by a word in the unknown name.
    """
    written = pyproject.get(table, {})
    if not isinstance(written, Mapping):
        raise SettingError(f"{table} is {written!r}", where="[tool.defer] in pyproject.toml", mend=mend)
    known = list(names)
    for name in written:
        if name in known:
            continue
        near = get_close_matches(name, known, n=1)
        told = [words for word, words in mends.items() if word in name]
        if near:
            told = [f"did you mean {near[0]}?"]
        told.append(f"its settings are {', '.join(known)}")
        raise SettingError("there is no such setting", where=_place(table, name), mend=told[0])


def _place(table: str, name: str) -> str:
    return f"{table_name(table)} {name} in pyproject.toml"
