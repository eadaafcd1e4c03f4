"""Prompts of a wanted length that no cache has seen, unless they are meant to share a prefix.

The words are short and common, so that most vocabularies need one token for each. The length is
therefore close to the wanted one, not exact: what the server counted is in the results.
"""

from __future__ import annotations

import random

_TEXT = (
    "about above after again air all along also always animal another answer around back because "
    "before began below between big book both boy call car carry change children city close come "
    "country cut day different does down each early earth eat end enough even every example eyes "
    "face family far father feet few find first follow food form found four girl give good got "
    "great group grow hand hard head hear help here high him home house idea important kind know "
    "land large last later learn leave left letter life light line list little live long look made "
    "make man many may mean men might mile money more most mother mountain move much music must "
    "name near need never new next night number off often old once only open other our out over "
    "own page paper part people picture place plant play point read really right river run said "
    "same saw say school sea second see seem sentence set should show side small something soon "
    "sound spell start state still stop story study such take talk tell thing think thought three "
    "through time together took tree try turn two under until use very want watch water way week "
    "well went where while white why will without word work world write year young"
)
WORDS = tuple(_TEXT.split())

QUESTION = " Write a very long story with these words."
QUESTION_TOKENS = 9


def make_prompts(
    count: int,
    *,
    tokens: int,
    shared_prefix: float = 0.0,
    seed: int = 0,
    prefix_seed: int | None = None,
) -> list[str]:
    """`count` prompts of about `tokens` tokens. The first `shared_prefix` of each (0.0 to 1.0) is
    the same in all of them; the rest is different in each.

    `prefix_seed` fixes the shared part on its own: two calls with the same one share it.
    """
    if not 0.0 <= shared_prefix <= 1.0:
        raise ValueError("shared_prefix must be between 0.0 and 1.0")
    words = max(1, tokens - QUESTION_TOKENS)
    shared = round(words * shared_prefix)
    prefix = random.Random(f"prefix {seed if prefix_seed is None else prefix_seed}").choices(
        WORDS, k=shared
    )
    prompts = []
    for index in range(count):
        rest = random.Random(f"prompt {seed} {index}").choices(WORDS, k=words - shared)
        prompts.append(" ".join(prefix + rest) + QUESTION)
    return prompts
