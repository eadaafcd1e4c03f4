"""Open Responses' schema of a response and its events, as far as text, calls and thinking go; and
OpenAI's of tools of MCP servers."""

from __future__ import annotations

from typing import Any

from jsonschema import Draft202012Validator

TEXT, NUMBER, WHOLE, TRUTH = ({"type": kind} for kind in ("string", "number", "integer", "boolean"))


def maybe(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


def one_of(*values: str) -> dict[str, Any]:
    return {"enum": list(values)}


def record(**fields: Any) -> dict[str, Any]:
    """An object with at least these fields."""
    return {"type": "object", "properties": fields, "required": list(fields)}


def items(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": schema}


STATUS = one_of("in_progress", "completed", "incomplete")
TOP = record(token=TEXT, logprob=NUMBER, bytes=items(WHOLE))
LOGPROBS = items(record(token=TEXT, logprob=NUMBER, bytes=items(WHOLE), top_logprobs=items(TOP)))
PART = {
    "oneOf": [
        record(type=one_of("input_text"), text=TEXT),
        record(type=one_of("output_text"), text=TEXT, annotations=items({}), logprobs=LOGPROBS),
        record(type=one_of("reasoning_text"), text=TEXT),
        record(type=one_of("refusal"), refusal=TEXT),
    ]
}
MCP_CALL = {"server_label": TEXT, "name": TEXT, "arguments": TEXT}
ITEM = {
    "oneOf": [
        record(
            type=one_of("message"),
            id=TEXT,
            status=STATUS,
            role=one_of("user", "assistant", "system", "developer"),
            content=items(PART),
        ),
        record(
            type=one_of("function_call"),
            id=TEXT,
            call_id=TEXT,
            name=TEXT,
            arguments=TEXT,
            status=STATUS,
        ),
        record(type=one_of("reasoning"), id=TEXT, summary=items(PART), content=items(PART)),
        record(type=one_of("compaction"), id=TEXT, encrypted_content=TEXT),
        record(
            type=one_of("mcp_list_tools"),
            id=TEXT,
            server_label=TEXT,
            tools=items(record(name=TEXT, input_schema={"type": "object"})),
            error=maybe(TEXT),
        ),
        record(type=one_of("mcp_approval_request"), id=TEXT, **MCP_CALL),
        record(
            type=one_of("mcp_call"),
            id=TEXT,
            **MCP_CALL,
            status=one_of("in_progress", "completed", "incomplete", "failed"),
            output=maybe(TEXT),
            error=maybe(record(type=one_of("mcp_tool_execution_error"), content={})),
            approval_request_id=maybe(TEXT),
        ),
    ]
}
USAGE = record(
    input_tokens=WHOLE,
    output_tokens=WHOLE,
    total_tokens=WHOLE,
    input_tokens_details=record(cached_tokens=WHOLE),
    output_tokens_details=record(reasoning_tokens=WHOLE),
)
TOOL = {
    "oneOf": [
        record(
            type=one_of("function"),
            name=TEXT,
            description=maybe(TEXT),
            parameters=maybe({"type": "object"}),
            strict=maybe(TRUTH),
        ),
        record(type=one_of("mcp"), server_label=TEXT, server_url=TEXT),
    ]
}
RESPONSE = record(
    id=TEXT,
    object=one_of("response"),
    created_at=WHOLE,
    completed_at=maybe(WHOLE),
    status=one_of("queued", "in_progress", "completed", "incomplete", "failed", "cancelled"),
    incomplete_details=maybe(record(reason=TEXT)),
    model=TEXT,
    previous_response_id=maybe(TEXT),
    instructions=maybe(TEXT),
    output=items(ITEM),
    error=maybe(record(code=TEXT, message=TEXT)),
    tools=items(TOOL),
    tool_choice={
        "oneOf": [
            one_of("none", "auto", "required"),
            record(type=one_of("function"), name=TEXT),
            record(type=one_of("allowed_tools"), tools=items({}), mode=TEXT),
        ]
    },
    truncation=one_of("auto", "disabled"),
    parallel_tool_calls=TRUTH,
    text=record(format=record(type=TEXT)),
    top_p=NUMBER,
    presence_penalty=NUMBER,
    frequency_penalty=NUMBER,
    top_logprobs=WHOLE,
    temperature=NUMBER,
    reasoning=maybe(record(effort=maybe(TEXT), summary=maybe(TEXT))),
    usage=maybe(USAGE),
    max_output_tokens=maybe(WHOLE),
    max_tool_calls=maybe(WHOLE),
    store=TRUTH,
    background=TRUTH,
    service_tier=TEXT,
    metadata={"type": "object"},
    safety_identifier=maybe(TEXT),
    prompt_cache_key=maybe(TEXT),
)
COMPACTION = record(
    id=TEXT,
    object=one_of("response.compaction"),
    created_at=WHOLE,
    output=items(ITEM),
    usage=USAGE,
)
PLACE = {"item_id": TEXT, "output_index": WHOLE}
CONTENT = {**PLACE, "content_index": WHOLE}
WHOLE_RESPONSE = record(response=RESPONSE)
EVENTS: dict[str, dict[str, Any]] = {
    **{
        f"response.{name}": WHOLE_RESPONSE
        for name in ("created", "queued", "in_progress", "completed", "incomplete", "failed")
    },
    "response.output_item.added": record(output_index=WHOLE, item=ITEM),
    "response.output_item.done": record(output_index=WHOLE, item=ITEM),
    "response.content_part.added": record(**CONTENT, part=PART),
    "response.content_part.done": record(**CONTENT, part=PART),
    "response.output_text.delta": record(**CONTENT, delta=TEXT, logprobs=LOGPROBS),
    "response.output_text.done": record(**CONTENT, text=TEXT, logprobs=LOGPROBS),
    "response.reasoning_text.delta": record(**CONTENT, delta=TEXT),
    "response.reasoning_text.done": record(**CONTENT, text=TEXT),
    **{
        f"response.mcp_{name}": record(**PLACE)
        for name in (
            "list_tools.in_progress",
            "list_tools.completed",
            "list_tools.failed",
            "call.in_progress",
            "call.completed",
            "call.failed",
        )
    },
    "response.mcp_call_arguments.delta": record(**PLACE, delta=TEXT),
    "response.mcp_call_arguments.done": record(**PLACE, arguments=TEXT),
    "response.function_call_arguments.delta": record(**PLACE, delta=TEXT),
    "response.function_call_arguments.done": record(**PLACE, arguments=TEXT, name=TEXT),
    "error": record(
        status=WHOLE, error=record(type=TEXT, code=TEXT, message=TEXT, param=maybe(TEXT))
    ),
}


def check(value: Any, schema: dict[str, Any]) -> None:
    Draft202012Validator(schema).validate(value)


def check_events(said: list[Any]) -> None:
    """Each is valid, they are numbered from 0, and the deltas come to what is done."""
    texts: dict[str, str] = {}
    for number, event in enumerate(said):
        assert event["sequence_number"] == number
        check(event, EVENTS[event["type"]])
        if "delta" in event:
            texts[event["item_id"]] = texts.get(event["item_id"], "") + event["delta"]
        if event["type"].endswith((".output_text.done", ".reasoning_text.done")):
            assert texts.get(event["item_id"], "") == event["text"]
        if event["type"].endswith("_arguments.done"):
            assert texts.get(event["item_id"], "") == event["arguments"]
