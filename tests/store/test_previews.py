"""The beginnings of arguments, of many executions at once."""

from __future__ import annotations

import pytest

from defer_cli.reports import previews
from defer_cli.store.contract import Reader, Store
from defer_cli.store.sqlite.inserting import LARGEST_INLINE
from tests.store.harness import enqueue

MOST = 1_000


def text_of(size: int) -> bytes:
    """Return arguments of ``size`` bytes."""
    return b'["' + b"x" * (size - 4) + b'"]'


@pytest.mark.parametrize("size", [4, LARGEST_INLINE, LARGEST_INLINE + 1, MOST])
def test_arguments_up_to_the_bound_are_whole(store: Store, reader: Reader, size: int) -> None:
    id = enqueue(store, arguments=text_of(size))
    assert reader.previews([id], most=MOST) == {id: (text_of(size), size)}


@pytest.mark.parametrize(("size", "most"), [(MOST + 1, MOST), (1 << 20, MOST), (100, 99)])
def test_longer_ones_are_only_measured(store: Store, reader: Reader, size: int, most: int) -> None:
    id = enqueue(store, arguments=text_of(size))
    assert reader.previews([id], most=most) == {id: (None, size)}


def test_an_execution_without_arguments_has_an_empty_list(store: Store, reader: Reader) -> None:
    plain, with_metadata = enqueue(store), enqueue(store, metadata={"key": "v" * LARGEST_INLINE})
    assert reader.previews([plain, with_metadata], most=MOST) == {plain: (b"[]", 2), with_metadata: (b"[]", 2)}


def test_ids_that_nothing_has_are_left_out(store: Store, reader: Reader) -> None:
    id = enqueue(store)
    assert previews(reader, ["nobody", id], MOST) == {id: {"arguments": "[]", "bytes": 2}}
