"""Where thinking begins and ends in a model's replies, as far as its chat template shows it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FORMATS", "GRANITE", "THINK", "ReasoningFormat", "detect", "opened_by"]


@dataclass(frozen=True, slots=True)
class ReasoningFormat:
    """The tags around a model's thinking and, with some models, around the answer after it."""

    start: str
    end: str
    answer: tuple[str, str] | None = None


THINK = ReasoningFormat("<think>", "</think>")

GRANITE = ReasoningFormat("<think>", "</think>", ("<response>", "</response>"))
_ANSWER = "<response></response>"  # as Granite's system prompt asks for it

FORMATS = (
    ReasoningFormat("<seed:think>", "</seed:think>"),  # Seed-OSS
    ReasoningFormat("<mm:think>", "</mm:think>"),  # MiniMax M3
    ReasoningFormat("<|START_THINKING|>", "<|END_THINKING|>"),  # Command R7B, Command A
    ReasoningFormat("<|channel>thought", "<channel|>"),  # Gemma 4
    ReasoningFormat("[THINK]", "[/THINK]"),  # Magistral, Ministral
    ReasoningFormat("◁think▷", "◁/think▷"),  # Kimi VL
    THINK,  # Qwen3, DeepSeek R1, SmolLM3, GLM, Kimi K2, Nemotron ...
    ReasoningFormat("<thinking>", "</thinking>"),  # Apriel
)
"""The first that a template shows is taken. gpt-oss's channels are more than two tags: not here."""


def detect(template_source: str) -> ReasoningFormat | None:
    """The format whose tags the template writes or looks for; None for a model that only answers."""
    for format in FORMATS:
        if format.start in template_source or format.end in template_source:
            return GRANITE if format is THINK and _ANSWER in template_source else format
    return None


def opened_by(prompt_text: str, fmt: ReasoningFormat) -> bool:
    """Whether the prompt ends with the start tag, so that the reply begins inside the thinking.

    Only the very end counts: a start tag further up may be a user's own words.
    """
    return prompt_text.rstrip().endswith(fmt.start)
