"""Fields beside OpenAI's that clients of vLLM, SGLang and llama-server send: honoured, or refused by
name.

What would change the answer and cannot be done is in a `refused` table. What would not (`priority`,
`request_id`, `cache_salt`, `spaces_between_special_tokens`, the name of a grammar library; `cache_prompt`,
`id_slot`, `n_keep`, `n_discard`, `n_cache_reuse`, `backend_sampling`, `response_fields`, ...) is as
unknown here as any other name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

import msgspec
from pydantic import AliasChoices, Field

from lmnb.api.body import INT32, Integer
from lmnb.api.refusing import RefusingFields
from lmnb.engine.options import TokenRules

__all__ = ["ReportFields", "TokenFields"]

Token = Annotated[Integer, Field(ge=0, le=INT32)]


class TokenFields(RefusingFields):
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
        "n_probs": "'n_probs' ('logprobs' asks for them)",
        "post_sampling_probs": "a list of probabilities after sampling",
        "n_indent": "an indentation that ends the answer",
        "grammar_lazy": "a grammar that waits for a trigger",
        "lora": "an adapter for one request (a load takes 'lora')",
        "reasoning_budget_message": "a text that ends the thinking",
    }

    min_tokens: Annotated[Integer, Field(ge=0, le=INT32)] = 0
    stop_token_ids: list[Token] = []
    include_stop_str_in_output: Annotated[
        bool, Field(validation_alias=AliasChoices("include_stop_str_in_output", "no_stop_trim"))
    ] = False
    allowed_token_ids: Annotated[list[Token], Field(min_length=1)] | None = None
    skip_special_tokens: bool = True
    t_max_predict_ms: Annotated[Integer, Field(ge=-1, le=INT32)] = 0
    """Where a line ends later than this after the first token, the answer ends too."""

    def rules(self) -> TokenRules:
        return TokenRules(
            least=self.min_tokens,
            stop=tuple(self.stop_token_ids),
            keep_stop=self.include_stop_str_in_output,
            allowed=tuple(self.allowed_token_ids or ()),
            controls=not self.skip_special_tokens,
            seconds=self.t_max_predict_ms / 1000 if self.t_max_predict_ms > 0 else None,
        )


class ReportFields(TokenFields):
    """What the answer says of its tokens, and of itself while it is streamed."""

    return_progress: bool = False
    timings_per_token: bool = False
    return_token_ids: bool = False
    return_tokens_as_token_ids: bool = False
    """Log-probabilities name tokens by number (`token_id:17`)."""

    @property
    def wants_progress(self) -> bool:
        return self.return_progress or self.timings_per_token

    def rules(self) -> TokenRules:
        return msgspec.structs.replace(super().rules(), ids=self.return_token_ids)
