"""`python -m lmnb.notebook.connection.tethered serve ...`: `lmnb serve ...` that ends when its parent does.

The parent holds the other end of standard input. However it dies, the operating system closes
that end: no signal to miss, and the same on every system.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading


def _end_with_parent() -> None:
    while os.read(0, 4096):
        pass
    if sys.platform == "win32":
        os._exit(0)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, name="lmnb-tether", daemon=True).start()
    sys.argv[0] = "lmnb"
    runpy.run_module("lmnb", run_name="__main__")
