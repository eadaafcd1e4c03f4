"""Which server is ours, and how it is spoken to."""
