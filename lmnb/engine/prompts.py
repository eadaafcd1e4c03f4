"""From a request's text, tokens and pictures to the tokens of a sequence."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence as Several
from itertools import groupby

import numpy as np

from lmnb.engine.glance import Glance, Looked
from lmnb.engine.options import EngineRequest, Span
from lmnb.engine.partition import joined
from lmnb.engine.places import Places
from lmnb.engine.sequence import Glances
from lmnb.engine.vocab import Tokens, Vocab, as_tokens
from lmnb.errors import ContextLengthExceeded, InvalidRequest

LONG = 1 << 20
"""Characters. Reading more takes seconds, in which nobody gets a token: not for what can never fit."""


class PromptReader:
    """For one model, whose context has room for `length` tokens."""

    def __init__(self, vocab: Vocab, places: Places, length: int) -> None:
        self.vocab = vocab
        self.places = places
        self.length = length

    def fitting(self, request: EngineRequest, looked: Several[Looked]) -> tuple[Tokens, Glances]:
        """What `read` gives, if there is something to continue and room for it. Raises
        ContextLengthExceeded, InvalidRequest."""
        characters = sum(len(span.text) for span in request.prompt)
        if characters > LONG and self.vocab.longest:
            least = characters // self.vocab.longest
            if least > self.length:
                raise self._too_long(f"at least {least}", self.length)
        tokens, glances = self.read(request, looked)
        if not len(tokens):
            raise InvalidRequest("The prompt is empty: there is nothing to continue.")
        most = self.length - (request.max_tokens != 0)
        if len(tokens) > most:
            raise self._too_long(str(len(tokens)), most)
        return tokens, glances

    def _too_long(self, tokens: str, most: int) -> ContextLengthExceeded:
        # Claude Code shortens a conversation when it reads the first sentence, LiteLLM the second.
        return ContextLengthExceeded(
            f"The prompt is too long: {tokens} tokens > {most}. This model's maximum context length "
            f"is {self.length} tokens, and an answer needs some. Shorten the prompt, or load the "
            "model with a longer context."
        )

    def read(self, request: EngineRequest, looked: Several[Looked]) -> tuple[Tokens, Glances]:
        """The prompt's token ids, and the pictures in it. Text gets one BOS if the model wants it,
        never two. Raises InvalidRequest."""
        vocab = self.vocab
        ids = list(request.prompt_tokens)
        if ids and not 0 <= min(ids) <= max(ids) < vocab.size:
            raise InvalidRequest(
                f"The prompt has a token id outside 0 to {vocab.size - 1}.", param="prompt"
            )
        if looked:
            return self._with_pictures(request, looked)
        ids += self._text(request.prompt)
        if request.suffix:
            ids = vocab.infill(ids, request.suffix)
        ids = ids if request.prompt_tokens else self._begun(ids)
        return as_tokens(ids or self._nothing()), ()

    def _with_pictures(
        self, request: EngineRequest, looked: Several[Looked]
    ) -> tuple[Tokens, Glances]:
        pieces: list[Tokens | Glance] = (
            [] if request.prompt[0].text else [as_tokens(self._begun([]))]
        )
        for image, spans in groupby(request.prompt, key=lambda span: span.image):
            if image is not None:
                pieces += [glance for _ in spans for glance in looked[image]]
                continue
            ids = self._text(spans)
            pieces.append(as_tokens(ids if pieces else self._begun(ids)))
        glances: list[tuple[int, Glance]] = []
        tokens: list[Tokens] = []
        length = 0
        for piece in pieces:
            if isinstance(piece, Glance):
                self.places.learn(piece)
                glances.append((length, piece))
            tokens.append(piece.tokens if isinstance(piece, Glance) else piece)
            length += len(tokens[-1])
        return np.concatenate(tokens), tuple(glances)

    def _text(self, spans: Iterable[Span]) -> list[int]:
        return self.vocab.tokenize_around(*joined(spans))

    def _nothing(self) -> list[int]:
        """What an empty prompt is: the beginning of a document, as the model knows it."""
        return [token for token in (self.vocab.bos, self.vocab.eos) if token >= 0][:1]

    def _begun(self, ids: list[int]) -> list[int]:
        """With the token that begins a text, if the model wants one and it is not there."""
        bos = self.vocab.bos
        if not self.vocab.add_bos or bos < 0 or ids[:1] == [bos]:
            return ids
        return [bos, *ids]
