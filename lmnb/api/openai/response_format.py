"""What form an answer shall have: OpenAI's field, and the ones of vLLM and llama-server."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError, from_json

from lmnb.api.body import Body
from lmnb.api.refusing import unsupported
from lmnb.chat.grammar import ResponseFormat

__all__ = ["FormatFields", "SaidTrue", "Schema"]


def _said(value: Any) -> Any:
    return {"true": True, "false": False}.get(value.lower(), value) if type(value) is str else value


def _from_text(value: Any) -> Any:
    """A schema that was sent as text."""
    if not isinstance(value, str):
        return value
    try:
        return from_json(value, allow_inf_nan=False)
    except ValueError as error:
        raise PydanticCustomError(
            "schema", "is not valid JSON: {error}", {"error": str(error)}
        ) from None


SaidTrue = Annotated[bool, BeforeValidator(_said)]
"""A boolean, or its name: LM Studio's documentation writes `"strict": "true"`."""
Schema = Annotated[dict[str, Any], BeforeValidator(_from_text)]


class JsonSchema(Body):
    schema_: Annotated[Schema, Field(alias="schema")]
    name: str = ""
    description: str = ""
    strict: SaidTrue = False


class OpenAIFormat(Body):
    """`json_object` with a `schema` is llama-server's; `value`, `json` and `regex` are TGI's."""

    type: str
    json_schema: JsonSchema | None = None
    schema_: Annotated[Schema | None, Field(alias="schema")] = None
    value: Any = None

    @model_validator(mode="before")
    @classmethod
    def _as_tgi_says_it(cls, data: Any) -> Any:
        value = data.get("value") if isinstance(data, dict) else None
        if not isinstance(value, dict):
            return data
        wrapped = data.get("type") == "json_schema" and "schema" in value
        return {**data, ("json_schema" if wrapped else "schema"): value}

    @model_validator(mode="after")
    def _is_known(self) -> OpenAIFormat:
        if self.type not in ("text", "json_object", "json_schema", "json", "regex"):
            raise unsupported(f"'{self.type}'", "type")
        if self.type == "json_schema" and self.json_schema is None:
            if self.schema_ is None:
                raise PydanticCustomError("missing", "", {"field": ("json_schema",)})
            self.json_schema = JsonSchema.model_validate({"schema": self.schema_})
        if self.type == "regex" and not isinstance(self.value, str):
            kind = "missing" if self.value is None else "string_type"
            raise PydanticCustomError(kind, "should be a string", {"field": ("value",)})
        return self

    def wanted(self) -> ResponseFormat | None:
        if self.type == "regex":
            return ResponseFormat("regex", self.value)
        if self.type == "json_schema" and self.json_schema is not None:
            return ResponseFormat(
                "json_schema", self.json_schema.schema_, strict=self.json_schema.strict
            )
        if self.type == "text":
            return None
        if self.schema_ is not None:
            return ResponseFormat("json_schema", self.schema_)
        return ResponseFormat("json_object")


class StructuredOutputs(Body):
    """vLLM's."""

    json_: Annotated[Schema | None, Field(alias="json")] = None
    json_object: bool = False
    regex: str | None = None
    choice: list[str] | None = None
    grammar: str | None = None
    structural_tag: Any = None
    whitespace_pattern: Any = None

    @model_validator(mode="after")
    def _is_known(self) -> StructuredOutputs:
        if self.structural_tag is not None:
            raise unsupported("a structural tag", "structural_tag")
        if self.whitespace_pattern is not None:
            raise unsupported("a pattern for white space", "whitespace_pattern")
        return self


class FormatFields(Body):
    """At most one of these says what the answer is."""

    response_format: OpenAIFormat | None = None
    structured_outputs: StructuredOutputs = StructuredOutputs()
    guided_json: Schema | None = None
    guided_regex: str | None = None
    guided_choice: list[str] | None = None
    guided_grammar: str | None = None
    grammar: str | None = None
    """GBNF."""
    json_schema: Schema | None = None
    regex: str | None = None
    ebnf: str | None = None
    """SGLang's two, beside `json_schema`."""

    @model_validator(mode="after")
    def _says_one_thing(self) -> FormatFields:
        if len(wanted := self._all()) > 1:
            raise PydanticCustomError(
                "format",
                "says what the answer is, and so does '{other}'; only one can",
                {"field": (wanted[1].param,), "other": wanted[0].param},
            )
        return self

    def wanted_format(self) -> ResponseFormat | None:
        return next(iter(self._all()), None)

    def _all(self) -> list[ResponseFormat]:
        found: list[ResponseFormat] = []

        def add(
            kind: Literal["json_schema", "regex", "choice", "gbnf"], value: Any, param: str
        ) -> None:
            if value is None or value == "":
                return
            if kind == "gbnf" and "::=" not in value:
                found.append(ResponseFormat("lark", value, param=param))
            else:
                found.append(ResponseFormat(kind, value, param=param))

        if self.response_format is not None and (said := self.response_format.wanted()):
            found.append(said)
        vllm = self.structured_outputs
        if vllm.json_object:
            found.append(ResponseFormat("json_object", param="structured_outputs"))
        add("json_schema", vllm.json_, "structured_outputs")
        add("regex", vllm.regex, "structured_outputs")
        add("choice", vllm.choice, "structured_outputs")
        add("gbnf", vllm.grammar, "structured_outputs")
        add("json_schema", self.guided_json, "guided_json")
        add("regex", self.guided_regex, "guided_regex")
        add("choice", self.guided_choice, "guided_choice")
        add("gbnf", self.guided_grammar, "guided_grammar")
        add("gbnf", self.grammar, "grammar")
        add("json_schema", self.json_schema, "json_schema")
        add("regex", self.regex, "regex")
        add("gbnf", self.ebnf, "ebnf")
        return found
