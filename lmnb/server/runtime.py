"""The file by which this user's programs find a running server and its key."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

from jupyter_core.paths import jupyter_runtime_dir, secure_write

__all__ = ["RuntimeFile"]

log = logging.getLogger("lmnb.server")


class RuntimeFile:
    """`lmnb-<pid>.json` beside Jupyter's own, readable by its user alone. A hint: it may be stale."""

    def __init__(self) -> None:
        self.path = Path(jupyter_runtime_dir()) / f"lmnb-{os.getpid()}.json"

    def write(self, url: str, key: str) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with secure_write(str(self.path)) as file:
                json.dump({"pid": os.getpid(), "url": url, "key": key}, file)
        except OSError as error:
            log.warning("Could not write %s: %s", self.path, error)

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)
