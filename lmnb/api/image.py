"""Where a picture in a request comes from."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

__all__ = ["ImageAddress", "check_address"]

KINDS = ("png", "jpeg", "jpg", "gif", "bmp")


def check_address(url: str) -> str:
    """What can be seen without decoding or fetching anything. Raises PydanticCustomError."""
    head = url[:200].lower()
    if head.startswith(("http://", "https://")):
        return url
    if not head.startswith("data:image/"):
        raise PydanticCustomError(
            "image_url", "should be a 'data:image/...;base64,' URL, or the address of a picture"
        )
    kind = head.removeprefix("data:image/").partition(";")[0].partition(",")[0]
    if kind not in KINDS:
        raise PydanticCustomError(
            "image_kind", "should be a PNG, JPEG, GIF or BMP, not '{kind}'", {"kind": kind[:40]}
        )
    return url


ImageAddress = Annotated[str, Field(min_length=1), AfterValidator(check_address)]
