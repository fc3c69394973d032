"""Sizes as people write them, and as they read them."""

from __future__ import annotations

import pytest

from defer_cli.domain.errors import SettingError
from defer_cli.domain.size import parse_memory, size_in_words


@pytest.mark.parametrize(
    ("written", "size"),
    [
        ("512 MB", 512_000_000),
        ("512mb", 512_000_000),
        (" 1.5 GiB ", 1_610_612_736),
        ("2g", 2_000_000_000),
        ("2Gi", 2_147_483_648),
        ("100000 kB", 100_000_000),
        (64_000_000, 64_000_000),
    ],
)
def test_a_size_is_read_in_any_usual_form(written: object, size: int) -> None:
    assert parse_memory(written, where="max_memory") == size


@pytest.mark.parametrize("written", ["much", "", "MB", "5", "-1 GB", "1 GB 2 MB", True, 1.5, None, "1 xb"])
def test_what_is_no_size_is_refused(written: object) -> None:
    with pytest.raises(SettingError, match="is not a size") as raised:
        parse_memory(written, where="max_memory")

    assert raised.value.where == "max_memory"


@pytest.mark.parametrize("written", ["63 MB", 0, -5])
def test_what_no_process_could_run_in_is_refused(written: object) -> None:
    with pytest.raises(SettingError, match="is too little"):
        parse_memory(written, where="worker_memory")


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_500, "1.5 kB"),
        (1_048_576, "1.0 MB"),
        (123_456_789, "123 MB"),
        (246_000_000, "246 MB"),
        (3_200_000_000_000, "3.2 TB"),
    ],
)
def test_a_size_is_told_in_the_unit_that_fits(size: float, words: str) -> None:
    assert size_in_words(size) == words
