"""The pointer that leads applications from the project to its data folder, and what is told where none can be left."""

from __future__ import annotations

import os
from pathlib import Path

from defer_cli.engine.events import Listener, Note
from defer_cli.link.project import DataFolder, point_to


def leave_pointer(project: Path, data: DataFolder, listener: Listener) -> None:
    """Leave it; a project that may only be read, as in an image, is no reason not to start."""
    try:
        point_to(str(project), data)
    except OSError as error:
        if os.environ.get("DEFER_DATA") != data.path:
            fields: dict[str, object] = {"DEFER_DATA": data.path, "reason": error.strerror}
            listener.tell(Note("warning", "applications must be told the data folder", fields))
