"""POST /api/v1/chat: LM Studio's own chat, which the server remembers and gives tools to."""
