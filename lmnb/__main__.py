"""`python -m lmnb`: the same as the `lmnb` script."""

from lmnb.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
