"""`python -m tests.hub [port]`: the stand-in Hub for trying things out."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.hub.models import default_repositories, write_files
from tests.hub.server import running_hub


def main() -> None:
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    with tempfile.TemporaryDirectory() as folder:
        files = write_files(Path(folder))
        with running_hub(*default_repositories(files), port=port) as hub:
            print(f"export HF_ENDPOINT={hub.url}", flush=True)
            print("# tokens:", ", ".join(hub.tokens), flush=True)
            try:
                hub.wait()
            except KeyboardInterrupt:
                pass


main()
