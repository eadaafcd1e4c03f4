"""What is loaded, and what happens to a request. Knows no HTTP."""
