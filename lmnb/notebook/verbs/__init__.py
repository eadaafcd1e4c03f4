"""The verbs of `%lms`, which are those of LM Studio's `lms`, and more. `lmnb` has the same table."""

from __future__ import annotations

from lmnb.notebook.verbs import downloads, hub, keys, loading, log, models, server, settings
from lmnb.notebook.verbs.verb import Verb, find_verb, overview

__all__ = ["VERBS", "Verb", "find_verb", "overview"]

NOUNS = (hub, downloads, models, loading, settings, server, log, keys)

VERBS: dict[str, Verb] = {verb.name: verb for noun in NOUNS for verb in noun.VERBS}
