"""What can be run: GGUF files, their facts and their names. Pure: reads files, knows no HTTP."""
