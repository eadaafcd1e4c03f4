"""Small files that others wrote."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

__all__ = ["read_small"]


def read_small(path: Path, most: int = 1 << 20) -> bytes:
    """All of a regular file. Raises OSError, also for one of more than `most` bytes, and for a FIFO or
    a device, which would block or never end."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        data = file.read(most + 1)
    if len(data) > most:
        raise OSError(errno.EFBIG, "too long", str(path))
    return data
