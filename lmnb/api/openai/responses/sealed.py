"""`encrypted_content`: text that a client keeps for us and hands back.

It is the client's own conversation, so it is packed, not secret; any lmnb can read it.
"""

from __future__ import annotations

import base64
import binascii

from lmnb.errors import InvalidRequest

__all__ = ["seal", "unseal"]

MARK = "lmnb1."


def seal(text: str) -> str:
    return MARK + base64.urlsafe_b64encode(text.encode()).decode()


def unseal(sealed: str) -> str:
    """Raises InvalidRequest for what no lmnb has sealed."""
    mark, _, packed = sealed.partition(".")
    try:
        if mark + "." != MARK:
            raise ValueError
        return base64.b64decode(packed, altchars=b"-_", validate=True).decode()
    except (ValueError, binascii.Error):
        raise InvalidRequest(
            "The encrypted content was not made by this server.", param="input"
        ) from None
