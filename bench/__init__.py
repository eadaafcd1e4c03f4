"""How fast a server is. Not installed: run from a checkout, `python -m bench.load --help`."""
