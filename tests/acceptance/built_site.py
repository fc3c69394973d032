"""The documentation as a browser gets it: built once a process, its pages read with what they name and load."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).parents[2]
_LOADS = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "audio": "src",
    "embed": "src",
    "object": "data",
    "form": "action",
}
_GONE_TO = {"canonical", "next", "prev", "alternate"}
"""What a link in the head names for somebody else: the browser does not load it."""
_NO_PROSE = {"pre", "code", "script", "style"}
_OF_STYLES = re.compile(r"""(?:url\(\s*|@import\s+)["']?([^"')\s;]+)""")


@dataclass
class Page(HTMLParser):
    """What one page holds; each address is as it is written."""

    path: Path
    names: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    prose: str = ""
    _within: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag in _NO_PROSE:
            self._within.append(tag)
        self.names |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag == "link" and given.get("rel") not in _GONE_TO:
            self.loads.append(given["href"])
        if given.get(_LOADS.get(tag, "")):
            self.loads.append(given[_LOADS[tag]])
        self.loads += [part.split()[0] for part in given.get("srcset", "").split(",") if part.strip()]
        self.loads += _OF_STYLES.findall(given.get("style", ""))

    def handle_data(self, data: str) -> None:
        if "style" in self._within:
            self.loads += _OF_STYLES.findall(data)
        if not self._within:
            self.prose += data

    def handle_endtag(self, tag: str) -> None:
        if tag in _NO_PROSE:
            self._within.remove(tag)


class Site:
    """All pages by their path in the site; not what a server answers where there is none, at whatever address."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        paths = [path for path in sorted(folder.rglob("*.html")) if path.name != "404.html"]
        self.pages = {str(path.relative_to(folder)): Page(path) for path in paths}

    def loads(self) -> Iterator[tuple[str, str]]:
        """Give each address that a page or a style sheet loads, and where it is written."""
        for name, page in self.pages.items():
            yield from ((name, address) for address in page.loads)
        for path in sorted(self.folder.rglob("*.css")):
            yield from ((str(path.relative_to(self.folder)), one) for one in _OF_STYLES.findall(path.read_text()))

    def problem_of(self, place: str, address: str) -> str | None:
        """Say what is wrong with an address of this site that is written in ``place``."""
        parts = urlsplit(address)
        if parts.scheme or parts.netloc or parts.path.startswith("/"):
            return None if parts.scheme in ("data", "mailto") else f"{place}: {address} leaves the site"
        path = Path(os.path.normpath(self.folder / Path(place).parent / unquote(parts.path)))
        target = path if parts.path else self.folder / place
        if not target.is_file() or self.folder not in target.parents:
            return f"{place}: {address} is not there"
        page = self.pages.get(str(target.relative_to(self.folder)))
        if parts.fragment and (page is None or unquote(parts.fragment) not in page.names):
            return f"{place}: {address} names nothing there"
        return None


def build(folder: Path) -> Site:
    """Build it as `make docs` does; fail on a warning."""
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],  # --quiet overlooks warnings
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return Site(folder)
