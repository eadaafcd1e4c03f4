"""Ids. An item's id holds its response's, so that a reference to it needs no index."""

from __future__ import annotations

import secrets

__all__ = ["PREFIXES", "item_id", "new_id", "response_of"]

PREFIXES = {
    "message": "msg",
    "function_call": "fc",
    "function_call_output": "fco",
    "reasoning": "rs",
    "compaction": "cmp",
    "mcp_list_tools": "mcpl",
    "mcp_call": "mcp",
    "mcp_approval_request": "mcpr",
    "mcp_approval_response": "mcpa",
}
KEY_LENGTH = 32


def new_id(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(KEY_LENGTH // 2)}"


def item_id(type: str, response: str, number: int) -> str:
    """For item `number` of a response (or conversation): its input counts first."""
    return f"{PREFIXES[type]}_{response.partition('_')[2]}{number:04x}"


def response_of(item: str) -> str:
    """The response whose item this is, if the id is one of ours."""
    return f"resp_{item.partition('_')[2][:KEY_LENGTH]}"
