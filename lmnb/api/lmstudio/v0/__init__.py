"""LM Studio's native API, version 0: OpenAI's bodies, with what was measured and by what."""
