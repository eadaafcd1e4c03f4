"""The fields that chat and plain completions share."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from lmnb.api.body import INT32, INT64, Body, Integer
from lmnb.api.openai.logit_bias import LogitBias
from lmnb.api.openai.samplers import Samplers
from lmnb.engine.options import USUAL_STAGES, Sampling

__all__ = [
    "LIMIT_NAMES",
    "GenerationFields",
    "Limit",
    "SamplingFields",
    "StreamOptions",
    "thinking_variables",
    "token_limit",
]

MAX_CHOICES = 128
ANY_SEED = -1
"""LM Studio's and llama.cpp's word for a fresh seed each time."""
NO_LIMIT = -1
"""LM Studio's word for no limit of tokens."""
Limit = Annotated[Integer, Field(ge=NO_LIMIT, le=INT64)]
LIMIT_NAMES = AliasChoices("max_tokens", "n_predict")
"""OpenAI's, and llama-server's."""


def _strings(value: Any) -> Any:
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return value
    raise PydanticCustomError("stop_type", "should be a string or an array of strings")


Share = Annotated[float, Field(ge=0, le=1)]
Penalty = Annotated[float, Field(ge=-2, le=2)]
Factor = Annotated[float, Field(ge=0, le=1e6)]
Window = Annotated[Integer, Field(ge=-1, le=INT32)]


class StreamOptions(Body):
    include_usage: bool = False
    continuous_usage_stats: bool = False
    """vLLM's: with `include_usage`, each chunk says how many tokens its choice has so far."""


class SamplingFields(Body):
    """How tokens are chosen and when to stop, with llama.cpp's defaults."""

    stop: Annotated[
        list[str], BeforeValidator(_strings, json_schema_input_type=str | list[str])
    ] = []
    ignore_eos: bool = False

    seed: Annotated[Integer, Field(ge=-INT64 - 1, le=INT64)] = ANY_SEED
    temperature: Annotated[float, Field(ge=0, le=2)] = Sampling().temperature
    dynatemp_range: Factor = Sampling().dynatemp_range
    dynatemp_exponent: Factor = Sampling().dynatemp_exponent
    top_k: Window = Sampling().top_k
    top_p: Share = Sampling().top_p
    min_p: Share = Sampling().min_p
    typical_p: Share = Sampling().typical_p
    top_n_sigma: Annotated[float, Field(ge=-1, le=1e6)] = Sampling().top_n_sigma
    xtc_probability: Share = Sampling().xtc_probability
    xtc_threshold: Share = Sampling().xtc_threshold
    repeat_penalty: Annotated[
        float,
        Field(gt=0, le=1e6, validation_alias=AliasChoices("repeat_penalty", "repetition_penalty")),
    ] = Sampling().repeat_penalty
    repeat_last_n: Window = Sampling().repeat_last_n
    presence_penalty: Penalty = Sampling().presence_penalty
    frequency_penalty: Penalty = Sampling().frequency_penalty
    dry_multiplier: Factor = Sampling().dry_multiplier
    dry_base: Factor = Sampling().dry_base
    dry_allowed_length: Annotated[Integer, Field(ge=0, le=INT32)] = Sampling().dry_allowed_length
    dry_penalty_last_n: Window = Sampling().dry_penalty_last_n
    dry_sequence_breakers: list[str] = list(Sampling().dry_sequence_breakers)
    mirostat: Literal[0, 1, 2] = 0
    mirostat_tau: Factor = Sampling().mirostat_tau
    mirostat_eta: Factor = Sampling().mirostat_eta
    adaptive_target: Annotated[float, Field(ge=-1e6, le=1)] = Sampling().adaptive_target
    adaptive_decay: Annotated[float, Field(ge=0, le=0.99)] = Sampling().adaptive_decay
    min_keep: Annotated[Integer, Field(ge=0, le=INT32)] = Sampling().min_keep
    samplers: Samplers = USUAL_STAGES
    logit_bias: LogitBias = ()

    @property
    def stops(self) -> tuple[str, ...]:
        return tuple(text for text in self.stop if text)

    def sampling(self, choice: int = 0) -> Sampling:
        """For choice number `choice`: the same, but for its own seed."""
        fields = {name: getattr(self, name) for name in SAMPLED}
        return Sampling(
            **fields,
            dry_sequence_breakers=tuple(self.dry_sequence_breakers),
            logit_bias=tuple((key, bias) for key, bias in self.logit_bias if type(key) is int),
            text_bias=tuple((key, bias) for key, bias in self.logit_bias if type(key) is str),
            seed=None if self.seed == ANY_SEED else (self.seed + choice) % INT32,
        )


SAMPLED = [
    name
    for name in Sampling.__struct_fields__
    if name not in ("dry_sequence_breakers", "logit_bias", "text_bias", "seed")
]


class GenerationFields(SamplingFields):
    """What a caller may say about one generation of an OpenAI dialect."""

    model: Annotated[str, Field(min_length=1)]
    stream: bool = False
    stream_options: StreamOptions = StreamOptions()
    n: Annotated[
        Integer, Field(ge=1, le=MAX_CHOICES, validation_alias=AliasChoices("n", "n_cmpl"))
    ] = 1
    max_tokens: Limit | None = Field(default=None, validation_alias=LIMIT_NAMES)
    ttl: Annotated[float, Field(gt=0)] | None = None


def token_limit(value: int | None) -> int | None:
    """-1 and numbers beyond any context mean: no limit."""
    return None if value is None or value == NO_LIMIT or value > INT32 else value


def thinking_variables(effort: str | None) -> dict[str, Any]:
    """What a chat template is told of the effort of reasoning that a caller asked for."""
    if not effort:
        return {}
    return {"reasoning_effort": effort, "enable_thinking": effort not in ("none", "off")}
