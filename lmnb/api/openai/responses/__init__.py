"""The Responses API: one concept a file.

request -> context (earlier turns) -> messages -> run (a generation, and its events) -> SSE, JSON or
WebSocket. Items are plain JSON objects in the shape in which they are listed, stored and sent.
"""
