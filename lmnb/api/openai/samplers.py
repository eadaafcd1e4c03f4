"""`samplers`: which, and in what order; llama-server's names, or a letter for each."""

from __future__ import annotations

from typing import Annotated, Any, get_args

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from lmnb.engine.options import Stage

__all__ = ["Samplers"]

NAMES: tuple[Stage, ...] = get_args(Stage)
LETTERS: dict[str, Stage] = {
    "e": "penalties",
    "d": "dry",
    "s": "top_n_sigma",
    "k": "top_k",
    "y": "typ_p",
    "p": "top_p",
    "m": "min_p",
    "x": "xtc",
    "t": "temperature",
    "a": "adaptive_p",
}
OTHER_NAMES: dict[str, Stage] = {
    **{name.replace("_", joint): name for name in NAMES for joint in ("_", "-", "")},
    "temp": "temperature",
    "typ": "typ_p",
    "typical": "typ_p",
    "typical_p": "typ_p",
    "nucleus": "top_p",
}


def _stages(value: Any) -> tuple[Stage, ...]:
    known: dict[str, Stage] = LETTERS if isinstance(value, str) else OTHER_NAMES
    if not isinstance(value, str | list):
        raise PydanticCustomError("samplers_type", "should be an array of names, or a string")
    stages = []
    for number, name in enumerate(value):
        stage = known.get(name) if isinstance(name, str) else None
        if stage is None:
            raise PydanticCustomError(
                "samplers",
                "should be one of {known}",
                {
                    "known": ", ".join(LETTERS if known is LETTERS else NAMES),
                    "field": () if known is LETTERS else (number,),
                },
            )
        stages.append(stage)
    return tuple(stages)


Samplers = Annotated[
    tuple[Stage, ...], BeforeValidator(_stages, json_schema_input_type=list[str] | str)
]
