"""The files that pages load: styles, scripts and the icon, each under a name that changes with its content."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

_FOLDER = Path(__file__).with_name("static")
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_IMPORT = re.compile(r'(from "\./)([a-z_]+\.js)(")')
_FOREVER = {"cache-control": "public, max-age=31536000, immutable"}


class Assets:
    """Read once; a script names the scripts it imports by their changing names too."""

    def __init__(self, folder: Path = _FOLDER) -> None:
        self._folder = folder
        self._names: dict[str, str] = {}
        self._contents: dict[str, tuple[bytes, str]] = {}
        for path in sorted(folder.iterdir()):
            if path.suffix in _TYPES:
                self._load(path.name)

    @property
    def names(self) -> Mapping[str, str]:
        """The path of each file, by the name it has in the folder."""
        return self._names

    def _load(self, name: str) -> str:
        """Take in a file, those it imports first; return the name it is served under."""
        if name not in self._names:
            path = self._folder / name
            text = _IMPORT.sub(lambda found: found[1] + self._load(found[2]) + found[3], path.read_text("utf-8"))
            content = text.encode()
            served = f"{path.stem}.{hashlib.blake2b(content, digest_size=6).hexdigest()}{path.suffix}"
            self._names[name] = f"/assets/{served}"
            self._contents[served] = content, _TYPES[path.suffix]
        return self._names[name].rpartition("/")[2]

    async def get(self, request: Request) -> Response:
        """Return a file."""
        found = self._contents.get(request.path_params["name"])
        if found is None:
            return Response("there is no such file\n", 404, media_type="text/plain")
        content, media_type = found
        return Response(content, headers=_FOREVER, media_type=media_type)
