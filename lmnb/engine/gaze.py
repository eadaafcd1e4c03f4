"""Which picture is read next, and how much of it in one call."""

from __future__ import annotations

from collections.abc import Sequence as Several
from typing import TYPE_CHECKING

from lmnb.engine.batch import PictureBatch
from lmnb.engine.context import Context
from lmnb.engine.places import Places
from lmnb.engine.plan import Share
from lmnb.engine.sequence import Sequence

if TYPE_CHECKING:
    from lmnb.engine.projector import Projector

__all__ = ["Gaze"]


class Gaze:
    """`projector` makes embeddings of pictures; None: nobody has any."""

    def __init__(self, projector: Projector | None, context: Context, places: Places) -> None:
        self._projector = projector
        self._context = context
        self._places = places
        self._looked = False
        """The call before this one read (a part of) a picture."""

    def turn(self, running: Several[Sequence]) -> Sequence | None:
        """Who looks at a picture in the next call. After one, who decodes comes first."""
        looking = [s for s in running if s.looking]
        decoding = any(not s.prefilling for s in running)
        if self._projector is None or not looking or (self._looked and decoding):
            self._looked = False
            return None
        self._looked = True
        return min(looking, key=lambda s: s.started)

    def look(self, sequence: Sequence) -> tuple[PictureBatch, Share]:
        """Its picture, or a part of it. Raises LmnbError where it cannot be encoded."""
        assert self._projector is not None
        assert sequence.looking is not None and sequence.lane is not None
        done, glance = sequence.looking
        embeddings = self._projector.encode(glance)
        count = glance.length - done
        if not glance.non_causal:
            count = min(count, self._context.micro_batch_size)
        first = self._places.position(sequence.tokens, sequence.computed - done)
        last = count == sequence.remaining
        batch = PictureBatch(
            embeddings[done : done + count],
            self._projector.positions(glance, first)[:, done : done + count],
            sequence.lane,
            logits=last,
            non_causal=glance.non_causal,
        )
        return batch, (sequence, count, int(last))
