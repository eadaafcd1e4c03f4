"""Grammars for one model's vocabulary, compiled in a thread of their own: nobody's tokens wait.

llguidance follows rules, definitions and `$ref`s by recursion: twenty thousand that refer to one another
would overflow the stack, and end the process. So a grammar's text is limited, and the stack is large
enough for the worst text of that size. What else reading it may cost is found out elsewhere first
(`inspection.py`).
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor

from llguidance import LLMatcher, LLTokenizer

from lmnb.engine.complaints import refused
from lmnb.engine.inspection import STACK_BYTES, Inspector, limits
from lmnb.engine.masks import Masks
from lmnb.engine.options import Constraint
from lmnb.engine.tokenizer import tokenizer
from lmnb.engine.vocab import Vocab
from lmnb.errors import EngineError, LmnbError

MAX_CHARACTERS = 1 << 18
KEPT, KEPT_CHARACTERS = 16, 1 << 15
"""Compiled grammars that are kept, and of which length: the choices of a request, and most requests,
share one; a large one may take a hundred megabytes."""


class Grammars:
    """Compiles grammars. One per loaded model.

    The vocabulary takes 0.4 s to read (262k tokens: 2.6 s): that is done for the first grammar.
    """

    def __init__(self, vocab: Vocab) -> None:
        self.vocab = vocab
        self._compiler = ThreadPoolExecutor(1, "lmnb-grammar")
        self.masks = Masks(vocab.size)
        self._tokenizer: LLTokenizer | None = None
        self._limits = limits()
        self._inspector = Inspector()
        self._compiled: OrderedDict[str, LLMatcher] = OrderedDict()

    def close(self) -> None:
        self._compiler.shutdown(cancel_futures=True)
        self._inspector.close()
        self.masks.close()

    def compile(self, constraint: Constraint) -> Future[LLMatcher]:
        """A matcher at the beginning of the grammar; or InvalidRequest, saying why not."""
        before = threading.stack_size(STACK_BYTES)
        try:
            return self._compiler.submit(self._compile, constraint.grammar)
        finally:
            threading.stack_size(before)

    def tokenize(self, text: str) -> list[int]:
        """Some tokens that make up `text`: enough to show it to a matcher."""
        assert self._tokenizer is not None, "nothing was compiled yet"
        return self._tokenizer.greedy_tokenize(text)

    def _compile(self, grammar: str) -> LLMatcher:
        try:
            known = self._compiled.pop(grammar, None) or self._new(grammar)
        except LmnbError:
            raise
        except BaseException as error:  # a panic of llguidance's is not an Exception
            raise EngineError(f"The grammar could not be compiled: {error}") from error
        if len(grammar) > KEPT_CHARACTERS:
            return known
        self._compiled[grammar] = known
        if len(self._compiled) > KEPT:
            self._compiled.popitem(last=False)
        return known.deep_copy()

    def _new(self, grammar: str) -> LLMatcher:
        if len(grammar) > MAX_CHARACTERS:
            raise refused(f"it has {len(grammar)} characters; {MAX_CHARACTERS} are the most")
        if complaint := self._inspector.complaint(grammar):
            raise refused(complaint)
        if self._tokenizer is None:
            self._tokenizer = tokenizer(self.vocab.again())
        matcher = LLMatcher(self._tokenizer, grammar, log_level=0, limits=self._limits)
        if not matcher.is_error():
            self.masks.bits(matcher)  # a grammar that no text can meet shows here
        if matcher.is_error():
            raise refused(matcher.get_error())
        return matcher
