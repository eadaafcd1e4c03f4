"""GGUF files: what their headers say."""
