"""The response object: every key of both specifications, echoing what was asked."""

from __future__ import annotations

import time
from typing import Any

from lmnb.api.openai.responses.ids import new_id
from lmnb.api.openai.responses.request import ResponseRequest
from lmnb.errors import LmnbError
from lmnb.service.events import Usage

__all__ = ["error_fields", "error_json", "new_response", "usage_json"]

Resource = dict[str, Any]


def new_response(request: ResponseRequest) -> Resource:
    """Before the first token. Who writes it changes `status`, `output`, `usage` and the like."""
    resource = {
        "id": new_id("resp"),
        "object": "response",
        "created_at": int(time.time()),
        "completed_at": None,
        "status": "queued" if request.background else "in_progress",
        "background": request.background,
        "error": None,
        "incomplete_details": None,
        "instructions": _instructions(request),
        "max_output_tokens": request.max_output_tokens,
        "max_tool_calls": request.max_tool_calls,
        "model": request.model,
        "output": [],
        "parallel_tool_calls": request.parallel_tool_calls,
        "previous_response_id": request.previous_response_id,
        "prompt_cache_key": request.prompt_cache_key,
        "reasoning": {"effort": request.reasoning.effort, "summary": request.reasoning.summary},
        "safety_identifier": request.safety_identifier,
        "service_tier": "default",
        "store": request.store,
        "temperature": request.temperature,
        "text": request.text.to_json(),
        "tool_choice": request.choice_json(),
        "tools": [tool.to_json() for tool in request.tools],
        "top_logprobs": request.top_logprobs,
        "top_p": request.top_p,
        "presence_penalty": request.presence_penalty,
        "frequency_penalty": request.frequency_penalty,
        "truncation": request.truncation,
        "usage": None,
        "metadata": request.metadata,
    }
    if request.user is not None:
        resource["user"] = request.user
    if request.conversation is not None:
        resource["conversation"] = {"id": request.conversation}
    return resource


def usage_json(usage: Usage) -> dict[str, Any]:
    """What was not found in the cache has been written to it."""
    written = usage.prompt_tokens - usage.cached_tokens
    return {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cached_tokens,
            "cache_write_tokens": written,
        },
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.total_tokens,
    }


def error_json(error: LmnbError) -> dict[str, Any]:
    """A failed response's `error`, with the codes that OpenAI's schema knows."""
    code = "server_error" if error.status >= 500 else "invalid_prompt"
    return {
        "code": "rate_limit_exceeded" if error.status == 429 else code,
        "message": error.message,
    }


def error_fields(error: LmnbError) -> dict[str, Any]:
    """Of the event `error`, in both specifications' forms. Over a WebSocket it has a status, and
    always a code."""
    body = error.to_json()["error"]
    body["code"] = error.code or error.type
    said = {name: body[name] for name in ("code", "message", "param")}
    return {"status": error.status, **said, "error": body}


def _instructions(request: ResponseRequest) -> Any:
    given = request.instructions
    return given if given is None or isinstance(given, str) else request.instruction_items()
