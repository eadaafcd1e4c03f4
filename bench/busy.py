"""`python -m bench.busy`: one core's worth of Python, as a notebook kernel in a long cell.

It ends with its parent, and after ten minutes in any case.
"""

from __future__ import annotations

import os
import time

LIMIT_SECONDS = 600.0


def main() -> None:
    parent = os.getppid()
    end = time.monotonic() + LIMIT_SECONDS
    number = 1
    while time.monotonic() < end and os.getppid() == parent:
        for _ in range(100_000):
            number = (number * 1103515245 + 12345) % 2147483648


if __name__ == "__main__":
    main()
