"""Messages to text and back. Pure: no I/O, no process, no HTTP."""
