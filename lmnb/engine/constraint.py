"""What one sequence may say next, from its grammar and what it has said so far."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Literal

import numpy as np
from llguidance import LLMatcher

from lmnb.engine.complaints import too_complex
from lmnb.engine.grammars import Grammars
from lmnb.engine.masks import Allowed
from lmnb.engine.options import Constraint

State = Literal["opening", "free", "held", "complete"]


class Guide:
    """Follows a sequence's tokens and says which may be next.

    `held`: the grammar decides. `free`: anything may come, a trigger is waited for. `opening`: the
    beginning of the grammar or of `Constraint.opening`, whichever the model writes. `complete`: the
    sequence ends here.
    """

    def __init__(self, constraint: Constraint, matcher: LLMatcher, grammars: Grammars) -> None:
        self._constraint = constraint
        self._matcher = matcher
        self._grammars = grammars
        self._triggers = tuple(text.encode() for text in constraint.triggers if text)
        self._longest = max(map(len, self._triggers), default=0)
        self._tail = b""
        self._opening: list[int] = []
        self._mask: Future[Allowed] | None = None
        self.state: State = "free" if self._triggers else "held"
        if self._triggers and constraint.opening:
            self._opening = grammars.vocab.tokenize_on(constraint.opening)
            self.state = "opening" if self._opening else "free"
        self._prepare()

    @property
    def may_end(self) -> bool:
        """False where the model must not end although no grammar holds it."""
        return not (self.state == "free" and self._constraint.final)

    def begin(self) -> None:
        """llama.cpp begins to compute, and a processor is left: time for the masks."""
        self._grammars.masks.begin()

    def allowed(self) -> Allowed | None:
        """The tokens that may come next; None: all. Waits for the mask, if it is not ready.

        Raises InvalidRequest when the grammar proves too complex.
        """
        if self.state not in ("held", "opening"):
            return None
        self._grammars.masks.finish()
        allowed = self._mask.result() if self._mask is not None else np.empty(0, np.intp)
        if self.state == "opening":
            allowed = np.union1d(allowed, self._opening[:1])
        return allowed

    def accept(self, token: int) -> bool:
        """Take the token that was chosen. False, and nothing has changed, where a trigger ends in
        the middle of a token whose rest the grammar does not allow: choose another."""
        if self.state == "free":
            return self._watch(token)
        if self.state == "opening" and self._still_opening(token):
            return True
        self.state = "held"
        if not self._matcher.consume_token(token):
            raise too_complex(self._matcher)
        self._go_on()
        return True

    def _still_opening(self, token: int) -> bool:
        if token != self._opening[0]:
            return False
        del self._opening[0]
        if not self._opening:
            self._matcher.reset()
            self.state = "free"
        elif self._mask is not None:
            both = self._matcher.try_consume_tokens([token]) == 1
            self._mask = self._grammars.masks.want(self._matcher) if both else None
        return True

    def _watch(self, token: int) -> bool:
        """Look for a trigger in the bytes that have come out."""
        seen = self._tail + self._grammars.vocab.render(token, special=True)
        ends = [at + len(t) for t in self._triggers if (at := seen.find(t)) >= 0]
        if not ends:
            self._tail = seen[-self._longest :]
            return True
        if not self._begin(seen[min(ends) :]):
            self._matcher.reset()
            return False
        self.state, self._tail = "held", b""
        self._go_on()
        return True

    def _begin(self, rest: bytes) -> bool:
        """Whether the grammar can begin with `rest`, which came with the trigger."""
        try:
            tokens = self._grammars.tokenize(rest.decode())
        except UnicodeDecodeError:
            return False
        return self._matcher.try_consume_tokens(tokens) == len(tokens)

    def _go_on(self) -> None:
        if self._matcher.is_stopped():
            if self._matcher.is_error():
                raise too_complex(self._matcher)
            self._matcher.reset()
            again = self._triggers and not self._constraint.final
            self.state = "free" if again else "complete"
        self._prepare()

    def _prepare(self) -> None:
        held = self.state in ("held", "opening")
        self._mask = self._grammars.masks.want(self._matcher) if held else None
