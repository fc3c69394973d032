"""Which trace a call carries: what W3C Trace Context allows, and nothing else."""

from __future__ import annotations

import pytest

from defer_cli.domain.traces import carried, headers

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = f"00-{TRACE}-{SPAN}-01"


@pytest.mark.parametrize(
    ("given", "state", "expected"),
    [
        (PARENT, None, PARENT),
        (PARENT, "", PARENT),
        (PARENT, "a=1,b=2", f"{PARENT} a=1,b=2"),
        (PARENT, "a=" + "x" * 510, f"{PARENT} a={'x' * 510}"),
        (PARENT, "a=" + "x" * 511, PARENT),
        (PARENT, "a=é", PARENT),
        (PARENT, "a=1\nb=2", PARENT),
        (f"cc-{TRACE}-{SPAN}-03-more-to-come", None, f"00-{TRACE}-{SPAN}-03"),
    ],
)
def test_what_can_be_read_is_carried(given: str, state: str | None, expected: str) -> None:
    assert carried(given, state) == expected


@pytest.mark.parametrize(
    "given",
    [
        None,
        "",
        "00",
        PARENT.upper(),
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"{PARENT}-more",
        f"{PARENT}\n",
        f" {PARENT}",
        f"cc-{TRACE}-{SPAN}-03x",
    ],
)
def test_what_is_no_parent_is_left_out(given: str | None) -> None:
    assert carried(given, "a=1") is None


@pytest.mark.parametrize("state", [None, "a=1,b= 2"])
def test_what_is_carried_comes_apart_again(state: str | None) -> None:
    trace = carried(PARENT, state)

    assert trace is not None
    assert headers(trace) == {"traceparent": PARENT} | ({"tracestate": state} if state else {})
