"""How fast a server is. Not part of the installed package: run from a checkout (`python -m bench.load`)."""
