"""Which setting wins, which is refused, and which would open the machine to the network."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from defer_cli.domain.errors import SettingError
from defer_cli.domain.settings import Settings, UnsafeHost, given_settings, is_loopback, resolve_settings


def resolved(
    *,
    flags: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
    dotenv: Mapping[str, str | None] | None = None,
    pyproject: Mapping[str, object] | None = None,
) -> Settings:
    return resolve_settings(
        flags=flags or {}, environ=environ or {}, dotenv=dotenv or {}, pyproject=pyproject or {}, cores=2
    )


def test_nothing_set_means_the_defaults() -> None:
    assert resolved() == Settings(
        directory=None,
        data=None,
        workers=2,
        slots=100,
        host="127.0.0.1",
        port=3337,
        grace=timedelta(seconds=20),
        log_format="logfmt",
        token=None,
    )


def test_each_source_gives_way_to_the_one_before_it() -> None:
    sources: list[dict[str, Any]] = [
        {"flags": {"slots": 1}},
        {"environ": {"DEFER_SLOTS": "2"}},
        {"dotenv": {"DEFER_SLOTS": "3"}},
        {"pyproject": {"slots": 4}},
    ]
    winners = []
    while sources:
        winners.append(resolved(**{name: value for source in sources for name, value in source.items()}).slots)
        sources.pop(0)

    assert winners == [1, 2, 3, 4]


def test_a_flag_that_was_not_given_and_an_empty_variable_count_as_unset() -> None:
    unset = resolved(flags={"slots": None}, environ={"DEFER_SLOTS": ""}, dotenv={"DEFER_SLOTS": None})

    assert unset.slots == 100


def test_every_setting_can_stand_in_the_project_file() -> None:
    table = {
        "directory": "app/jobs",
        "data": "/var/lib/defer",
        "workers": 3,
        "slots": 7,
        "host": "localhost",
        "port": 0,
        "worker_memory": "1 GiB",
        "grace": "1m",
        "log_format": "json",
        "log_level": "warning",
        "log_time": False,
    }

    assert resolved(pyproject=table) == Settings(
        directory="app/jobs",
        data="/var/lib/defer",
        workers=3,
        slots=7,
        host="localhost",
        port=0,
        worker_memory=1_073_741_824,
        grace=timedelta(minutes=1),
        log_format="json",
        log_level="warning",
        log_time=False,
    )


@pytest.mark.parametrize("off", ["off", " OFF "])
def test_the_port_can_be_off(off: str) -> None:
    assert resolved(environ={"DEFER_PORT": off}).port is None


@pytest.mark.parametrize(("word", "is_on"), [("on", True), ("off", False)])
def test_the_time_of_records_is_switched_by_a_word(word: str, is_on: bool) -> None:
    assert resolved(environ={"DEFER_LOG_TIME": word}).log_time is is_on


@pytest.mark.parametrize(("value", "span"), [("20", 20), ("1m", 60), ("0s", 0)])
def test_a_grace_of_bare_digits_is_seconds(value: str, span: int) -> None:
    assert resolved(environ={"DEFER_GRACE": value}).grace == timedelta(seconds=span)


@pytest.mark.parametrize(
    ("source", "where"),
    [
        ({"flags": {"log_format": "xml"}}, "--log-format"),
        ({"environ": {"DEFER_SLOTS": "many"}}, "DEFER_SLOTS in the environment"),
        ({"dotenv": {"DEFER_SLOTS": "many"}}, "DEFER_SLOTS in .env"),
        ({"pyproject": {"slots": "many"}}, "[tool.defer] slots in pyproject.toml"),
    ],
    ids=str,
)
def test_an_error_names_its_source(source: dict[str, Any], where: str) -> None:
    with pytest.raises(SettingError) as refused:
        resolved(**source)

    assert refused.value.where == where
    assert refused.value.mend


@pytest.mark.parametrize(
    "table",
    [
        {"workers": 0},
        {"workers": True},
        {"workers": 1.5},
        {"slots": 0},
        {"slots": -1},
        {"slots": "9" * 5000},
        {"slots": "٣"},
        {"port": 65_536},
        {"port": -1},
        {"port": "on"},
        {"port": False},
        {"host": ""},
        {"host": "a b"},
        {"host": 127},
        {"grace": "-1s"},
        {"grace": "soon"},
        {"log_format": "Json"},
        {"log_format": ["json"]},
        {"log_level": "warn"},
        {"log_time": "yes"},
        {"log_time": 1},
        {"directory": ""},
        {"directory": 1},
        {"data": "a\0b"},
    ],
    ids=lambda table: str(table)[:30],
)
def test_a_wrong_value_is_refused(table: dict[str, Any]) -> None:
    with pytest.raises(SettingError, match=r"^\[tool\.defer\] "):
        resolved(pyproject=table)


@pytest.mark.parametrize(
    ("name", "mend"),
    [
        ("slot", "did you mean slots?"),
        ("log-format", "did you mean log_format?"),
        ("colour", "its settings are directory, data, workers, slots, host, port, worker_memory, grace, log_format"),
        ("token", "set DEFER_TOKEN in the environment"),
    ],
)
def test_an_unknown_setting_is_refused_with_the_way_out(name: str, mend: str) -> None:
    with pytest.raises(SettingError) as refused:
        resolved(pyproject={name: "x"})

    assert refused.value.where == f"[tool.defer] {name} in pyproject.toml"
    assert mend in str(refused.value.mend)


def test_the_token_comes_from_the_real_environment() -> None:
    assert resolved(environ={"DEFER_TOKEN": "secret"}).token == "secret"


def test_a_token_in_dotenv_does_not_count() -> None:
    assert resolved(dotenv={"DEFER_TOKEN": "secret"}).token is None


def test_the_token_is_never_shown() -> None:
    assert "secret" not in repr(resolved(environ={"DEFER_TOKEN": "secret"}))


OPEN = [
    "0.0.0.0",
    "::",
    "[::]",
    "::ffff:0.0.0.0",
    "::ffff:192.168.0.1",
    "192.168.0.1",
    "example.org",
    "0",
    "127.1",
    "*",
]
LOOPBACK = ["127.0.0.1", "127.0.0.2", "::1", "[::1]", "localhost", "LOCALHOST", "::ffff:127.0.0.1"]


@pytest.mark.parametrize("host", LOOPBACK)
def test_a_loopback_host_needs_no_token(host: str) -> None:
    assert is_loopback(host)
    assert resolved(flags={"host": host}).host == host


@pytest.mark.parametrize("host", OPEN)
def test_an_open_host_without_a_token_is_refused(host: str) -> None:
    with pytest.raises(UnsafeHost, match=r"^--host: .* set DEFER_TOKEN"):
        resolved(flags={"host": host})


@pytest.mark.parametrize("host", OPEN)
def test_an_open_host_with_a_token_is_taken(host: str) -> None:
    assert resolved(flags={"host": host}, environ={"DEFER_TOKEN": "secret"}).host == host


def test_a_token_may_stand_in_a_file() -> None:
    assert resolved(flags={"host": "::"}, environ={"DEFER_TOKEN_FILE": "/run/token"}).token_file == "/run/token"


def test_an_open_host_with_a_token_in_dotenv_only_is_refused_with_the_reason() -> None:
    with pytest.raises(UnsafeHost, match="in .env it does not count"):
        resolved(flags={"host": "::"}, dotenv={"DEFER_TOKEN": "secret"})


def test_an_open_host_is_harmless_where_nothing_listens() -> None:
    assert resolved(flags={"host": "0.0.0.0", "port": "off"}).port is None


def test_what_was_given_is_told_as_it_was_written_with_the_source_that_wins() -> None:
    given = given_settings(
        flags={"slots": None, "grace": "5s"},
        environ={"DEFER_SLOTS": "seven", "DEFER_PORT": ""},
        dotenv={"DEFER_SLOTS": "8", "DEFER_PORT": "off"},
        pyproject={"port": 1, "workers": 2},
    )

    assert given == {
        "slots": ("seven", "DEFER_SLOTS in the environment"),
        "port": ("off", "DEFER_PORT in .env"),
        "grace": ("5s", "--grace"),
        "workers": (2, "[tool.defer] workers in pyproject.toml"),
    }


def test_names_to_mask_are_written_with_commas() -> None:
    assert resolved(pyproject={"mask": "iban, tax_id,"}).mask == ("iban", "tax_id")
    with pytest.raises(SettingError, match="is not a text"):
        resolved(pyproject={"mask": ["iban"]})


def test_hosts_that_are_allowed_are_a_list_in_the_file_and_have_commas_in_a_variable() -> None:
    hosts = ("runner", "defer.example:8443", "[::2]")
    assert resolved(pyproject={"allowed_hosts": ["Runner", "defer.example:8443", "[::2]"]}).allowed_hosts == hosts
    assert resolved(environ={"DEFER_ALLOWED_HOSTS": "runner, defer.example:8443,[::2],"}).allowed_hosts == hosts


@pytest.mark.parametrize("value", ["https://defer.example", "*", "a b", "runner:99999", "::1", 1, [1], {"runner": 1}])
def test_what_is_no_host_is_not_allowed_as_one(value: object) -> None:
    with pytest.raises(SettingError, match=r"^\[tool\.defer\] allowed_hosts in pyproject\.toml: .*host"):
        resolved(pyproject={"allowed_hosts": value})
