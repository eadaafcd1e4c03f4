"""Dialects of HTTP. Each file: parse (pydantic), ask the service, write. No logic of its own."""
