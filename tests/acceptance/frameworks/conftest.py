"""One project with one runner for all frameworks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.acceptance.frameworks.serving import Site


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = Site(tmp_path_factory.mktemp("site"))
    yield site
    site.close()
