"""Which test runs the blocks of which page of docs/: a page, or a kind of block, that none runs is not there."""

from __future__ import annotations

from dataclasses import dataclass

_FILES_AND_COMMANDS = frozenset({"console"})


@dataclass(frozen=True)
class Trial:
    """``test`` writes the blocks that have a file's name, and knows what to do with those of ``kinds``."""

    test: str
    kinds: frozenset[str] = _FILES_AND_COMMANDS


def _read_too(*kinds: str) -> frozenset[str]:
    return _FILES_AND_COMMANDS | set(kinds)


_GUIDE = "acceptance/test_guide_docs.py"
_GUIDED = "quickstart crons retries calls workflows machines".split()
_COMING_FROM = "defer celery rq huey apscheduler".split()

TRIALS = {
    **{f"{page}.md": Trial(_GUIDE) for page in _GUIDED},
    **{f"coming-from/{page}.md": Trial(_GUIDE) for page in _COMING_FROM},
    "alerts.md": Trial("acceptance/test_alerts_docs.py", _read_too("json")),
    "containers.md": Trial("acceptance/test_containers_docs.py"),
    "deploying.md": Trial("acceptance/test_deploying_docs.py", _read_too("")),
    "frameworks.md": Trial("acceptance/frameworks/test_docs.py"),
    "http.md": Trial("acceptance/test_http_docs.py"),
    "index.md": Trial("acceptance/test_docs_site.py"),
    "logs.md": Trial("acceptance/test_logs_docs.py"),
    "metrics.md": Trial("acceptance/test_metrics_docs.py", frozenset({"yaml"})),
    "node.md": Trial("node/test_node_docs.py"),
    "retention.md": Trial("acceptance/test_retention_docs.py"),
    "rule.md": Trial(_GUIDE, _read_too("text")),
    "states.md": Trial("unit/domain/test_states.py", frozenset({"mermaid"})),
    "testing.md": Trial("acceptance/test_testing_docs.py"),
    "tracing.md": Trial("acceptance/test_tracing_docs.py"),
}
