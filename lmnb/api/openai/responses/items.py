"""What a client may put into `input`: each kind of item becomes JSON in its listed form."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from pydantic import BeforeValidator, Discriminator, Field, Tag
from pydantic_core import PydanticCustomError

from lmnb.api.body import Body
from lmnb.api.openai.responses.ids import PREFIXES, item_id
from lmnb.api.openai.responses.parts import Parts
from lmnb.api.refusing import unsupported

__all__ = ["InputItem", "ItemReference", "Items", "to_json"]

Item = dict[str, Any]
Status = Literal["in_progress", "completed", "incomplete"]
McpStatus = Literal["in_progress", "completed", "incomplete", "calling", "failed"]


class _Item(Body):
    id: str | None = None
    status: Status = "completed"

    def body(self) -> Item:
        """The item but for its id."""
        raise NotImplementedError


class MessageItem(_Item):
    role: Literal["user", "assistant", "system", "developer"]
    content: Parts
    phase: Literal["commentary", "final_answer"] | None = None

    def body(self) -> Item:
        content = [part.to_json(self.role) for part in self.content]
        phase = {"phase": self.phase} if self.phase else {}
        head = {"type": "message", "role": self.role, "status": self.status}
        return {**head, "content": content, **phase}


def _json_text(value: Any) -> Any:
    return msgspec.json.encode(value).decode() if isinstance(value, dict) else value


class FunctionCallItem(_Item):
    call_id: Annotated[str, Field(min_length=1)]
    name: Annotated[str, Field(min_length=1)]
    arguments: Annotated[str, BeforeValidator(_json_text)]

    def body(self) -> Item:
        call = {"call_id": self.call_id, "name": self.name, "arguments": self.arguments}
        return {"type": "function_call", "status": self.status, **call}


class FunctionCallOutputItem(_Item):
    call_id: Annotated[str, Field(min_length=1)]
    output: Parts

    def body(self) -> Item:
        """A plain string stays one."""
        output: Any = [part.to_json("user") for part in self.output]
        if len(self.output) == 1 and self.output[0].type == "text":
            output = self.output[0].text
        head = {"type": "function_call_output", "status": self.status}
        return {**head, "call_id": self.call_id, "output": output}


class ReasoningItem(_Item):
    """Of any shape: clients cut it down, and other servers write it otherwise."""

    content: list[dict[str, Any]] = []
    summary: list[dict[str, Any]] = []
    encrypted_content: str | None = None

    def body(self) -> Item:
        sealed = {"encrypted_content": self.encrypted_content} if self.encrypted_content else {}
        return {"type": "reasoning", "summary": self.summary, "content": self.content, **sealed}


class CompactionItem(_Item):
    encrypted_content: Annotated[str, Field(max_length=10 * 1024 * 1024)]

    def body(self) -> Item:
        return {"type": "compaction", "encrypted_content": self.encrypted_content}


class McpListToolsItem(_Item):
    """The servers are asked anew each time; where this is, nobody has to be told again."""

    server_label: str
    tools: list[dict[str, Any]] = []
    error: str | None = None

    def body(self) -> Item:
        listed = {"server_label": self.server_label, "tools": self.tools, "error": self.error}
        return {"type": "mcp_list_tools", "status": self.status, **listed}


class _McpCall(_Item):
    server_label: str
    name: Annotated[str, Field(min_length=1)]
    arguments: Annotated[str, BeforeValidator(_json_text)]

    def call(self) -> Item:
        return {"server_label": self.server_label, "name": self.name, "arguments": self.arguments}


class McpCallItem(_McpCall):
    status: McpStatus = "completed"  # type: ignore[assignment]  # more than other items'
    output: str | None = None
    error: Any = None
    approval_request_id: str | None = None

    def body(self) -> Item:
        approval = {"approval_request_id": self.approval_request_id}
        result = {"output": self.output, "error": self.error, **approval}
        return {"type": "mcp_call", "status": self.status, **self.call(), **result}


class McpApprovalRequestItem(_McpCall):
    def body(self) -> Item:
        return {"type": "mcp_approval_request", "status": self.status, **self.call()}


class McpApprovalResponseItem(_Item):
    approval_request_id: Annotated[str, Field(min_length=1)]
    approve: bool
    reason: str | None = None

    def body(self) -> Item:
        # OpenAI's schema demands the request's id under two names.
        ids = dict.fromkeys(("approval_request_id", "request_id"), self.approval_request_id)
        said = {"approve": self.approve, "reason": self.reason}
        return {"type": "mcp_approval_response", **ids, **said}


class ItemReference(Body):
    """Stands for an item of an earlier response."""

    id: str


KINDS = (*PREFIXES, "item_reference")


def _kind(value: Any) -> str:
    """An item without a type is a message, or, with nothing but an id, a reference."""
    kind = value.get("type") if isinstance(value, dict) else "no item"
    if kind is None:
        return "item_reference" if "id" in value and "role" not in value else "message"
    return kind if isinstance(kind, str) and kind in KINDS else "other"


def _refuse(value: Any) -> Any:
    if not isinstance(value, dict):
        raise PydanticCustomError("item_type", "should be an object")
    raise unsupported(f"input of type '{value['type']}'", "type")


InputItem = Annotated[
    Annotated[MessageItem, Tag("message")]
    | Annotated[FunctionCallItem, Tag("function_call")]
    | Annotated[FunctionCallOutputItem, Tag("function_call_output")]
    | Annotated[ReasoningItem, Tag("reasoning")]
    | Annotated[CompactionItem, Tag("compaction")]
    | Annotated[McpListToolsItem, Tag("mcp_list_tools")]
    | Annotated[McpCallItem, Tag("mcp_call")]
    | Annotated[McpApprovalRequestItem, Tag("mcp_approval_request")]
    | Annotated[McpApprovalResponseItem, Tag("mcp_approval_response")]
    | Annotated[ItemReference, Tag("item_reference")]
    | Annotated[Any, BeforeValidator(_refuse), Tag("other")],
    Discriminator(_kind),
]


def _items(value: Any) -> Any:
    if isinstance(value, str):
        return [{"role": "user", "content": value}]
    if isinstance(value, list):
        return value
    raise PydanticCustomError("input_type", "should be a string or an array of items")


Items = Annotated[
    list[InputItem], BeforeValidator(_items, json_schema_input_type=str | list[InputItem])
]


def to_json(item: Any, owner: str, number: int) -> Item:
    """The item with an id: its own, or one made of its owner's."""
    body: Item = item.body()
    return {"id": item.id or item_id(body["type"], owner, number), **body}
