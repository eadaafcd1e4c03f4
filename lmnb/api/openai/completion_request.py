"""What a client may send to `/v1/completions`, and what it means."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from lmnb.api.body import INT32, Integer
from lmnb.api.openai.dialects import ReportFields
from lmnb.api.openai.response_format import FormatFields
from lmnb.api.openai.sampling import LIMIT_NAMES, MAX_CHOICES, GenerationFields, Limit, token_limit
from lmnb.api.refusing import unsupported
from lmnb.engine.options import LoadOptions
from lmnb.service.request import GenerationRequest

__all__ = ["CompletionRequest"]

MOST = LoadOptions().queue_limit
"""Completions of one request. More would be refused again and again: they wait all at once."""
Tokens = Annotated[list[Annotated[int, Field(ge=0, le=INT32)]], Field(min_length=1)]
OneOrMore = (
    str
    | Tokens
    | Annotated[list[str], Field(min_length=1)]
    | Annotated[list[Tokens], Field(min_length=1)]
)
"""What `_prompts` takes: for the description."""


def _is_token(value: Any) -> bool:
    return type(value) is int and 0 <= value <= INT32


def _prompts(value: Any) -> Any:
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list) and value:
        if all(isinstance(one, str) for one in value):
            return tuple(value)
        if all(_is_token(one) for one in value):
            return (tuple(value),)
        if all(isinstance(one, list) and one and all(map(_is_token, one)) for one in value):
            return tuple(tuple(one) for one in value)
    raise PydanticCustomError(
        "prompt_type",
        "should be a string, an array of strings, an array of token ids, or an array of those",
    )


class CompletionRequest(GenerationFields, ReportFields, FormatFields):
    """The body."""

    prompt: Annotated[tuple[Any, ...], BeforeValidator(_prompts, json_schema_input_type=OneOrMore)]
    max_tokens: Limit = Field(default=16, validation_alias=LIMIT_NAMES)
    echo: bool = False
    logprobs: Annotated[Integer, Field(ge=0, le=5)] | None = None
    best_of: Annotated[Integer, Field(ge=1, le=MAX_CHOICES)] | None = None
    suffix: str = ""
    add_special_tokens: Literal[True] = True
    """vLLM's: text begins as the model wants it."""

    @model_validator(mode="after")
    def _can_be_done(self) -> CompletionRequest:
        if self.candidates < self.n:
            raise PydanticCustomError("best_of", "should be at least 'n'", {"field": ("best_of",)})
        if self.candidates > self.n and self.stream:
            raise unsupported("streaming the best of several", "best_of")
        if (count := len(self.prompt) * self.candidates) > MOST:
            what = f"a request for {count} completions (at most {MOST})"
            raise unsupported(what, "prompt")
        if self.suffix and self.scores_prompt:
            raise unsupported("a suffix with log-probabilities of the prompt", "suffix")
        return self

    @property
    def candidates(self) -> int:
        """Completions of each prompt, of which the `n` best are given."""
        return self.n if self.best_of is None else self.best_of

    @property
    def wants_logprobs(self) -> bool:
        return self.logprobs is not None

    @property
    def scores_prompt(self) -> bool:
        return self.echo and self.wants_logprobs

    def choices(self) -> list[GenerationRequest]:
        """One request for each prompt and each of its candidates, in order."""
        compared = 0 if self.candidates > self.n else None
        return [
            GenerationRequest(
                model=self.model,
                text=prompt if isinstance(prompt, str) else None,
                tokens=None if isinstance(prompt, str) else prompt,
                sampling=self.sampling(candidate),
                max_tokens=token_limit(self.max_tokens),
                stop=self.stops,
                logprobs=compared if self.logprobs is None else self.logprobs,
                echo=self.echo,
                score_prompt=self.scores_prompt,
                suffix=self.suffix,
                ignore_eos=self.ignore_eos,
                progress=self.wants_progress,
                rules=self.rules(),
                response_format=self.wanted_format(),
                ttl=self.ttl,
            )
            for prompt in self.prompt
            for candidate in range(self.candidates)
        ]
