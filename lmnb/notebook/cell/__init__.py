"""`%%lms`: a cell that is a message."""
