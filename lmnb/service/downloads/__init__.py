"""Downloads as jobs of the server."""
