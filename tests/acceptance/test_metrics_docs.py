"""What docs/metrics.md gives to Prometheus is right: the scrape is answered, and the rules ask for what is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import promql_parser
import pytest
import yaml  # type: ignore[import-untyped]
from prometheus_client.parser import text_string_to_metric_families

from tests.acceptance.command import defer, living
from tests.acceptance.pages import blocks, free_port

SCRAPE, RULES = (yaml.safe_load(block.text) for block in blocks("metrics.md"))
SELECTOR = re.compile(r"(defer_\w+)(?:\{(\w+)=)?")
ADDED = {"le"}
"""Labels that a histogram's buckets have of themselves."""


@pytest.fixture(scope="module")
def scraped(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return what a runner with a token answers to the scrape of the page, after an execution."""
    folder, port = tmp_path_factory.mktemp("metrics"), str(free_port())
    (config,) = SCRAPE["scrape_configs"]
    ((target,),) = [one["targets"] for one in config["static_configs"]]
    assert set(config["authorization"]) == {"credentials_file"}  # whose type is Bearer unless one is named
    defer(folder, "init")
    with living(folder, "run", ready="runner ready", env={"DEFER_PORT": port, "DEFER_TOKEN": "a-token-of-this-test"}):
        assert defer(folder, "trigger", "send_greeting", "Ada", "--wait").code == 0
        url = f"http://{target.replace('3337', port)}/metrics"
        assert httpx.get(url).status_code == 401
        answer = httpx.get(url, headers={"Authorization": "Bearer a-token-of-this-test"})
    assert answer.status_code == 200
    return answer.text


def selectors(expression: str) -> Iterator[tuple[str, set[str]]]:
    """Give each metric that an expression asks for, and the labels by which it does."""
    for name, label in SELECTOR.findall(expression):
        by = re.findall(r"by \(([\w, ]+)\)", expression)
        yield name, {label, *(one.strip() for names in by for one in names.split(","))} - {""} - ADDED


@pytest.mark.process
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["expr"])
def test_a_rule_asks_for_what_is_there(rule: Any, scraped: str) -> None:
    promql_parser.parse(rule["expr"])
    samples = {one.name: one.labels for family in text_string_to_metric_families(scraped) for one in family.samples}
    asked = list(selectors(rule["expr"]))

    assert asked
    for name, labels in asked:
        assert f"\n# TYPE {name.removesuffix('_bucket')} " in scraped
        assert labels <= set(samples.get(name, labels)), name  # a cron that missed nothing has no sample


def test_a_rule_that_is_none_would_be_seen() -> None:
    with pytest.raises(ValueError, match="parenthesis"):
        promql_parser.parse(f"sum by (function {RULES[0]['expr']}")
