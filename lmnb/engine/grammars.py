"""Grammars for one model's vocabulary, compiled in a thread of their own: nobody's tokens wait.

llguidance follows rules, definitions and `$ref`s by recursion: twenty thousand that refer to one another
would overflow the stack, and end the process. So a grammar's text is limited, and the stack is large
enough for the worst text of that size. What else reading it may cost is found out elsewhere first
(`inspection.py`).
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from llguidance import LLMatcher, LLTokenizer
from numpy.typing import NDArray

from lmnb.engine.inspection import STACK_BYTES, Inspector, limits
from lmnb.engine.options import Constraint
from lmnb.engine.tokenizer import tokenizer
from lmnb.engine.vocab import Vocab
from lmnb.errors import EngineError, InvalidRequest

MAX_CHARACTERS = 1 << 18
MAX_REASON = 300
KEPT, KEPT_CHARACTERS = 16, 1 << 15
"""Compiled grammars that are kept, and of which length: the choices of a request, and most requests,
share one; a large one may take a hundred megabytes."""

_EXCERPT = re.compile(r" *\d+ \| | *\^$")
_UNMEETABLE = ("NoExtensionBias", "no text can meet it")
_PLACE = re.compile(r"^(at )?\d+\(\d+\): ")

Allowed = NDArray[np.intp]
"""Ids of the tokens that may come next, in order."""


class Grammars:
    """Compiles grammars and computes their masks. One per loaded model.

    The vocabulary takes 0.4 s to read (262k tokens: 2.6 s): that is done for the first grammar.
    """

    def __init__(self, vocab: Vocab) -> None:
        self.vocab = vocab
        self._compiler = ThreadPoolExecutor(1, "lmnb-grammar")
        self._masker = ThreadPoolExecutor(1, "lmnb-mask")
        self._tokenizer: LLTokenizer | None = None
        self._limits = limits()
        self._inspector = Inspector()
        self._compiled: OrderedDict[str, LLMatcher] = OrderedDict()

    def close(self) -> None:
        self._compiler.shutdown(cancel_futures=True)
        self._inspector.close()
        self._masker.shutdown(cancel_futures=True)

    def compile(self, constraint: Constraint) -> Future[LLMatcher]:
        """A matcher at the beginning of the grammar; or InvalidRequest, saying why not."""
        before = threading.stack_size(STACK_BYTES)
        try:
            return self._compiler.submit(self._compile, constraint.grammar)
        finally:
            threading.stack_size(before)

    def mask(self, matcher: LLMatcher) -> Future[Allowed]:
        """What may come next, computed while llama.cpp computes the logits it is for."""
        return self._masker.submit(self._mask, matcher)

    def tokenize(self, text: str) -> list[int]:
        """Some tokens that make up `text`: enough to show it to a matcher."""
        assert self._tokenizer is not None, "nothing was compiled yet"
        return self._tokenizer.greedy_tokenize(text)

    def _compile(self, grammar: str) -> LLMatcher:
        known = self._compiled.pop(grammar, None) or self._new(grammar)
        if len(grammar) > KEPT_CHARACTERS:
            return known
        self._compiled[grammar] = known
        if len(self._compiled) > KEPT:
            self._compiled.popitem(last=False)
        return known.deep_copy()

    def _new(self, grammar: str) -> LLMatcher:
        if len(grammar) > MAX_CHARACTERS:
            raise _refusal(f"it has {len(grammar)} characters; {MAX_CHARACTERS} are the most")
        if complaint := self._inspector.complaint(grammar):
            raise _refusal(_reason(complaint))
        if self._tokenizer is None:
            self._tokenizer = tokenizer(self.vocab.again())
        matcher = LLMatcher(self._tokenizer, grammar, log_level=0, limits=self._limits)
        if not matcher.is_error():
            self._bits(matcher)  # a grammar that no text can meet shows here
        if matcher.is_error():
            raise _refusal(_reason(matcher.get_error()))
        return matcher

    def _bits(self, matcher: LLMatcher) -> NDArray[np.uint32]:
        bits = np.empty((self.vocab.size + 31) // 32, np.uint32)
        matcher.unsafe_compute_mask_ptr(bits.ctypes.data, bits.nbytes)
        return bits

    def _mask(self, matcher: LLMatcher) -> Allowed:
        bits = self._bits(matcher)
        if matcher.is_error():
            raise too_complex(matcher)
        marks = np.unpackbits(bits.view(np.uint8), count=self.vocab.size, bitorder="little")
        allowed = np.flatnonzero(marks.view(np.bool_))
        if not len(allowed):
            raise EngineError("The grammar allows nothing that this model's tokens can write.")
        return allowed


def too_complex(matcher: LLMatcher) -> InvalidRequest:
    """What a matcher says that has met one of its limits on the way."""
    return InvalidRequest(
        f"The grammar became too complex: {_reason(matcher.get_error())}.", param="constraint"
    )


def _refusal(why: str) -> InvalidRequest:
    return InvalidRequest(f"The grammar cannot be used: {why}.", param="constraint")


def _reason(message: str) -> str:
    """llguidance's own words, without its excerpt of the grammar."""
    lines = [line for line in message.splitlines() if not _EXCERPT.match(line)]
    words = _PLACE.sub("", " ".join(lines)).removeprefix("failed to compile JSON schema: ")
    words = words.replace("<non-verbose/>", "").replace(*_UNMEETABLE)
    words = " ".join(words.split()).rstrip(".")
    if len(words) <= MAX_REASON:
        return words
    return f"{words[: MAX_REASON // 2]} … {words[-MAX_REASON // 2 :]}"
