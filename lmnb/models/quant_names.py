"""Quantisations as file names spell them: `Q4_K_M`, `UD-Q4_K_XL`, `IQ3_XXS`, `bf16`, `MXFP4_MOE`."""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["BALANCE", "balance", "canonical", "choose", "is_quant", "split_quant", "weight_bits"]

_PLAIN = (
    r"(?:UD-|i1-)?(?:(?:IQ|TQ|Q)\d+(?:_(?:\d+|K|XXS|XS|S|M|L|XL|XXL|NL))*"
    r"|BF16|FP?16|FP?32|MXFP4(?:_MOE)?|NVFP4)"
)
_WHOLE = re.compile(_PLAIN, re.IGNORECASE)
_IN_STEM = re.compile(rf"[-._@ ]({_PLAIN})(?=$|[-._ ])", re.IGNORECASE)

BALANCE = (
    "Q4_K_M Q4_K_S Q4_K_XL Q4_K_L MXFP4 MXFP4_MOE IQ4_XS IQ4_NL Q4_0 Q4_1 NVFP4 "
    "Q5_K_M Q5_K_S Q5_K_XL Q5_K_L Q5_0 Q5_1 Q6_K Q6_K_L Q6_K_XL Q8_0 Q8_K_XL F16 BF16 F32"
).split()
"""What to take where there is room: four bits lose little and are fastest, and more is better than
less. What is missing here has fewer bits: the largest of those that fits is the best of them."""

_BITS = {"BF16": 16.0, "F16": 16.0, "F32": 32.0, "MXFP4": 4.3, "MXFP4_MOE": 4.3, "NVFP4": 4.5}


def is_quant(text: str) -> bool:
    return bool(_WHOLE.fullmatch(text))


def canonical(quant: str) -> str:
    """For comparing: `fp16` is `F16`, `q4-k-m` is `Q4_K_M`. What marks a mix (`UD-`, `i1-`) stays."""
    upper = quant.upper()
    mix = next((mark for mark in ("UD-", "I1-") if upper.startswith(mark)), "")
    rest = upper.removeprefix(mix).replace("-", "_")
    return mix + {"FP16": "F16", "FP32": "F32"}.get(rest, rest)


def split_quant(stem: str) -> tuple[str, str]:
    """(the rest, the quantisation as it is written) of a file name without its ending; "" for none."""
    matches = list(_IN_STEM.finditer(stem))
    if not matches:
        return stem, ""
    last = matches[-1]
    return stem[: last.start()] + stem[last.end() :], last[1]


def choose(wanted: str, quants: Iterable[str]) -> list[str]:
    """Which of `quants` answer to `wanted`: the same; else the same but for the mark of its mix;
    else those it is the beginning of, the most balanced first (`q4`: Q4_K_M, Q4_K_S, ...)."""
    given = list(quants)
    goal = canonical(wanted)
    same = [quant for quant in given if canonical(quant) == goal]
    if not same:
        same = [quant for quant in given if _bare(quant) == goal]
    if not same:
        same = [quant for quant in given if _bare(quant).startswith(goal + "_")]
    return sorted(same, key=balance)


def _bare(quant: str) -> str:
    return canonical(quant).removeprefix("UD-").removeprefix("I1-")


def balance(quant: str) -> int:
    """Its place in `BALANCE`, whatever its mix; behind all where it is not there."""
    bare = _bare(quant)
    return BALANCE.index(bare) if bare in BALANCE else len(BALANCE)


def weight_bits(quant: str) -> float:
    """Roughly what a weight takes. 0: no telling."""
    bare = _bare(quant)
    if bare in _BITS:
        return _BITS[bare]
    digits = re.search(r"\d+", bare)
    return int(digits[0]) + (0.5 if "_0" in bare else 0.85) if digits else 0.0
