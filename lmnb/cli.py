"""The `lmnb` command."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from lmnb._version import __version__

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand. Returns the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["serve"]:
        from lmnb.server import standalone

        return standalone.main(words[1:])
    parser = argparse.ArgumentParser("lmnb", description="Local language models inside Jupyter.")
    parser.add_argument("--version", action="version", version=f"lmnb {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    commands.add_parser("serve", help="serve local models over HTTP", add_help=False)
    commands.add_parser("version", help="say which version this is")
    parser.parse_args(words)
    print(f"lmnb {__version__}")
    return 0
