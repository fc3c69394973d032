"""The types of fields in bodies and queries, with what the document tells of them.

A pattern or a bound here is told, not checked: that is done where its meaning is known, with a mend.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Raw

from defer_cli.domain.call_options import LONGEST_TEXT, MOST_METADATA
from defer_cli.domain.paging import CAME_FROM, LARGEST_SIZE

_TEXT = {"type": "string", "pattern": f"^[ -~]{{1,{LONGEST_TEXT}}}$"}
_ID = "^[0-7][0-9a-hjkmnp-tv-z]{25}$"
_BOTH = {
    "required": ["first", "last"],
    "properties": {"first": {"type": "integer"}, "last": {"type": "integer"}},
}

Moment = Annotated[datetime, Meta(tz=True)]
Id = Annotated[str, Meta(extra_json_schema={"pattern": _ID})]
Key = Annotated[str, Meta(description="Printable.", extra_json_schema={"minLength": 1, "maxLength": LONGEST_TEXT})]
AnyArray = Annotated[Raw, Meta(extra_json_schema={"type": ["array", "null"]})]
AnyObject = Annotated[Raw, Meta(extra_json_schema={"type": ["object", "null"]})]
Metadata = Annotated[
    dict[str, str],
    Meta(extra_json_schema={"maxProperties": MOST_METADATA, "propertyNames": _TEXT, "additionalProperties": _TEXT}),
]
Size = Annotated[int, Meta(extra_json_schema={"minimum": 1, "maximum": LARGEST_SIZE})]
Cursor = Annotated[
    str, Meta(description="A cursor of a page's `page_info`.", extra_json_schema={"pattern": "^c[0-9a-f]{1,15}$"})
]
CameFrom = Annotated[str, Meta(extra_json_schema={"enum": list(CAME_FROM)})]
NOT_BOTH = Meta(extra_json_schema={"not": _BOTH})
"""Of a page: ``first`` and ``last`` exclude each other."""
