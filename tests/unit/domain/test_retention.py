"""Which limits of retention are taken, and which are refused."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import pytest

from defer_cli.domain.errors import SettingError
from defer_cli.domain.retention import RetentionSettings, given_retention, resolve_retention
from defer_cli.domain.settings import resolve_settings


def resolved(
    table: object = None,
    *,
    environ: Mapping[str, str] | None = None,
    dotenv: Mapping[str, str | None] | None = None,
) -> RetentionSettings:
    pyproject = {} if table is None else {"retention": table}
    return resolve_retention(environ=environ or {}, dotenv=dotenv or {}, pyproject=pyproject)


def test_it_is_on_by_default() -> None:
    settings = resolved()

    assert settings == RetentionSettings(executions=timedelta(days=30), most=1_000_000, logs=timedelta(days=7))
    assert settings.is_on
    assert settings.in_words() == "executions for 30d, at most 1,000,000; logs for 7d"


def test_the_table_says_how_long() -> None:
    settings = resolved({"executions": "90 days", "most": 5_000, "logs": "36h"})

    assert settings == RetentionSettings(executions=timedelta(days=90), most=5_000, logs=timedelta(hours=36))


@pytest.mark.parametrize("off", [False, "off", "False"])
def test_each_may_be_off(off: object) -> None:
    settings = resolved({"executions": off, "most": off, "logs": off})

    assert settings == RetentionSettings(executions=None, most=None, logs=None)
    assert not settings.is_on
    assert settings.in_words() == "executions for ever; logs for ever"


def test_the_environment_wins_over_env_over_the_table() -> None:
    settings = resolved(
        {"executions": "1 day", "most": 1, "logs": "1 day"},
        environ={"DEFER_RETENTION_EXECUTIONS": "3 days"},
        dotenv={"DEFER_RETENTION_EXECUTIONS": "2 days", "DEFER_RETENTION_MOST": "2_000"},
    )

    assert settings == RetentionSettings(executions=timedelta(days=3), most=2_000, logs=timedelta(days=1))


def test_where_each_comes_from_is_told() -> None:
    given = given_retention(environ={"DEFER_RETENTION_LOGS": "off"}, dotenv={}, pyproject={"retention": {"most": 5}})

    assert given == {
        "most": (5, "[tool.defer.retention] most in pyproject.toml"),
        "logs": ("off", "DEFER_RETENTION_LOGS in the environment"),
    }


@pytest.mark.parametrize(
    ("table", "problem", "mend"),
    [
        ({"execution": "30 days"}, "there is no such setting", "did you mean executions?"),
        ({"forever": True}, "there is no such setting", "its settings are executions, most, logs"),
        ({"executions": 30}, "30 is no time to keep what has finished", "with its unit"),
        ({"executions": "30"}, "'30' is no time to keep what has finished", "with its unit"),
        ({"executions": True}, "True is no time to keep what has finished", "with its unit"),
        ({"executions": "0 days"}, "'0 days' would keep nothing", "false to keep everything"),
        ({"executions": "1 month"}, "months and years differ in length", "30 days"),
        ({"logs": "soon"}, "'soon' is not a duration", "7 days"),
        ({"most": 0}, "0 is no number of executions to keep", "false for no limit"),
        ({"most": True}, "True is no number of executions to keep", "false for no limit"),
        ({"most": "many"}, "'many' is no number of executions to keep", "false for no limit"),
        ("30 days", "retention is '30 days'", "[tool.defer.retention]"),
    ],
)
def test_what_is_wrong_says_how_to_mend_it(table: object, problem: str, mend: str) -> None:
    with pytest.raises(SettingError) as caught:
        resolved(table)

    assert problem in caught.value.problem
    assert mend in (caught.value.mend or "")


def test_the_table_is_no_setting_of_the_runner_and_a_slip_in_its_name_is_told() -> None:
    resolve_settings(flags={}, environ={}, dotenv={}, pyproject={"retention": {}}, cores=1)
    with pytest.raises(SettingError) as caught:
        resolve_settings(flags={}, environ={}, dotenv={}, pyproject={"retentions": {}}, cores=1)

    assert caught.value.mend == "did you mean retention?"
