"""Fields beside OpenAI's that clients of vLLM and SGLang send: honoured, or refused by name.

What would change the answer and cannot be done is in a `refused` table. What would not (`priority`,
`request_id`, `cache_salt`, `spaces_between_special_tokens`, the name of a grammar library, ...) is as
unknown here as any other name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import msgspec
from pydantic import AliasChoices, Field, model_validator

from lmnb.api.body import Body, Integer
from lmnb.api.openai.sampling import INT32, unsupported
from lmnb.engine.options import TokenRules

__all__ = ["TokenFields", "TokenIdFields"]

Token = Annotated[Integer, Field(ge=0, le=INT32)]


class TokenFields(Body):
    """What ends an answer, and what may be in it, said in tokens."""

    refused: ClassVar[Mapping[str, str]] = {
        "use_beam_search": "a beam search",
        "prompt_logprobs": "'prompt_logprobs' ('echo' with 'logprobs' scores a prompt)",
        "truncate_prompt_tokens": "a prompt that is cut to fit",
        "bad_words": "a list of words that must not come",
        "logits_processors": "code that changes logits",
        "custom_logit_processor": "code that changes logits",
        "vllm_xargs": "an argument of somebody's own engine",
        "prompt_embeds": "a prompt of vectors",
        "guided_whitespace_pattern": "a pattern for white space",
        "stop_regex": "a pattern that ends the answer",
        "return_hidden_states": "the model's inner states",
    }

    min_tokens: Annotated[Integer, Field(ge=0, le=INT32)] = 0
    stop_token_ids: list[Token] = []
    include_stop_str_in_output: Annotated[
        bool, Field(validation_alias=AliasChoices("include_stop_str_in_output", "no_stop_trim"))
    ] = False
    allowed_token_ids: Annotated[list[Token], Field(min_length=1)] | None = None
    skip_special_tokens: bool = True

    @model_validator(mode="before")
    @classmethod
    def _nothing_is_dropped(cls, data: Any) -> Any:
        if isinstance(data, dict):
            for name, what in cls.refused.items():
                if data.get(name) not in (None, False, [], {}, ""):
                    raise unsupported(what, name)
        return data

    def rules(self) -> TokenRules:
        return TokenRules(
            least=self.min_tokens,
            stop=tuple(self.stop_token_ids),
            keep_stop=self.include_stop_str_in_output,
            allowed=tuple(self.allowed_token_ids or ()),
            controls=not self.skip_special_tokens,
        )


class TokenIdFields(TokenFields):
    """What the answer says of its tokens."""

    return_token_ids: bool = False
    return_tokens_as_token_ids: bool = False
    """Log-probabilities name tokens by number (`token_id:17`)."""

    def rules(self) -> TokenRules:
        return msgspec.structs.replace(super().rules(), ids=self.return_token_ids)
