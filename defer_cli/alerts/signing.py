"""Signing messages as Standard Webhooks specify (https://www.standardwebhooks.com, version 1)."""

from __future__ import annotations

import base64
import hashlib
import hmac


def signed_headers(key: bytes, *, id: str, at: int, body: bytes) -> dict[str, str]:
    """Return the headers by which who receives ``body`` knows who sent it, and when (``at``: seconds since 1970).

    ``id`` is the same each time a message is sent, so that a repeat can be told.
    """
    content = f"{id}.{at}.".encode() + body
    digest = base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()
    return {"webhook-id": id, "webhook-timestamp": str(at), "webhook-signature": f"v1,{digest}"}
