"""Tab completion for `%lms` and `%%lms`, from memory: a key press never waits for the network."""

from __future__ import annotations

import inspect
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from contextvars import copy_context
from typing import Any

from lmnb.errors import LmnbError
from lmnb.notebook import remote_names
from lmnb.notebook.cell.chat_options import CELL_OPTIONS
from lmnb.notebook.choice import loaded_ids
from lmnb.notebook.connection.wire import Model
from lmnb.notebook.options import Option
from lmnb.notebook.verbs import Verb

STALE_SECONDS = 15.0
LEAST = 3
"""Characters of a name, before the Hub is asked for more."""
_LINE = re.compile(r"^(?:\s*\w+\s*=)?\s*(%%?)lms\s+(.*)$")


class ModelNames:
    """Names of models, remembered; refreshed behind the user's back when they have grown old."""

    def __init__(
        self,
        fetch: Callable[[], Sequence[Model]],
        search: Callable[[str], Sequence[Mapping[str, Any]]] = lambda words: (),
    ) -> None:
        self._fetch, self._search = fetch, search
        self._searched: set[str] = set()
        self._next_refresh = 0.0
        self.local: list[str] = []
        self.loaded: list[str] = []

    def remember(self, models: Sequence[Model]) -> None:
        """Take fresh knowledge, from whoever has just asked the server."""
        self.local = [model["key"] for model in models]
        self.loaded = loaded_ids(models)
        self._next_refresh = time.monotonic() + STALE_SECONDS

    def expire(self) -> None:
        """Something was loaded, unloaded or imported."""
        self._next_refresh = 0.0
        self.refresh()

    def refresh(self) -> None:
        """Ask in the background, unless what we know is fresh."""
        if time.monotonic() < self._next_refresh:
            return
        self._next_refresh = time.monotonic() + STALE_SECONDS
        context = copy_context()
        threading.Thread(target=context.run, args=(self._ask,), daemon=True).start()

    def look_up(self, word: str) -> None:
        """Search the Hub in the background, once for each beginning that says something: the next
        Tab knows what was found."""
        words = " ".join(word.lower().split("/")).strip()
        if len(words) < LEAST or words in self._searched:
            return
        self._searched.add(words)
        context = copy_context()
        threading.Thread(target=context.run, args=(self._find, words), daemon=True).start()

    def _find(self, words: str) -> None:
        with suppress(LmnbError, OSError, RuntimeError):
            remote_names.remember(self._search(words))

    def _ask(self) -> None:
        with suppress(LmnbError, OSError, RuntimeError):  # Tab then offers what was known
            self.remember(self._fetch())


def candidates(
    line: str,
    verbs: Mapping[str, Verb],
    names: ModelNames,
    variables: Callable[[], Mapping[str, Any]] = dict,
) -> list[str] | None:
    """What may replace the last word of `line`; None when the line is not ours."""
    if not (match := _LINE.match(line)):
        return None
    *before, word = re.split(r"\s+", match[2])
    if match[1] == "%":
        return following(before, word, verbs, names)
    found = _cell_words(before, word, names, variables)
    return sorted({each for each in found if each.startswith(word)})


def following(
    before: list[str], word: str, verbs: Mapping[str, Verb], names: ModelNames
) -> list[str]:
    """What may be written instead of `word`, after the words `before` it."""
    found = _verb_words(verbs, before, word, names)
    return sorted({each for each in found if each.startswith(word)})


FITTING: dict[str, Callable[[Any], bool]] = {
    "schema": lambda value: isinstance(value, type | dict),
    "function": inspect.isroutine,
    "variable": lambda value: not inspect.ismodule(value),
}
"""Which of the notebook's values an option can use."""


def _cell_words(
    before: list[str],
    word: str,
    names: ModelNames,
    variables: Callable[[], Mapping[str, Any]],
) -> Iterable[str]:
    kind = _kind_after(before[-1]) if before else ""
    if kind == "models":
        found = [*names.loaded, *names.local]
    elif kind in FITTING:
        found = _of_notebook(FITTING[kind], variables())
    else:
        return _option_words(CELL_OPTIONS, before, word, names)
    several = kind in ("models", "function")
    head = word[: word.rfind(",") + 1] if several else ""
    return [head + each for each in found]


def _kind_after(flag: str) -> str:
    """What the value of a cell's option is."""
    return next((each.completes for each in CELL_OPTIONS if flag in each.flags), "")


def _of_notebook(fits: Callable[[Any], bool], variables: Mapping[str, Any]) -> list[str]:
    return [
        name
        for name, value in variables.items()
        if not name.startswith("_") and name not in ("In", "Out") and fits(value)
    ]


def _verb_words(
    verbs: Mapping[str, Verb], before: list[str], word: str, names: ModelNames
) -> Iterable[str]:
    if not before:
        return [name.split()[0] for name in verbs]
    seconds = [name.split()[1] for name in verbs if name.startswith(before[0] + " ")]
    for length in (2, 1):
        verb = verbs.get(" ".join(before[:length]))
        if verb and len(before) >= length:
            more = seconds if len(before) == 1 else []
            return [*_option_words(verb.options, before[length:], word, names), *more]
    return seconds if len(before) == 1 else []


def _option_words(
    options: Sequence[Option], before: list[str], word: str, names: ModelNames
) -> Iterable[str]:
    if before and (values := _values_after(before[-1], options, names)) is not None:
        return values
    if word.startswith("-"):
        return [flag for each in options for flag in _flags(each)]
    return [value for each in options if not each.is_flag for value in _values(each, names) or ()]


def _values_after(flag: str, options: Sequence[Option], names: ModelNames) -> Iterable[str] | None:
    """The values of the flag that stands before the word; None when it takes none."""
    for each in options:
        if flag in each.flags and each.is_flag and "action" not in each.settings:
            return _values(each, names)
    return None


def _values(each: Option, names: ModelNames) -> Sequence[str]:
    if each.completes == "model":
        return [*names.loaded, *names.local]
    if each.completes == "loaded":
        return names.loaded
    if each.completes == "remote":
        return remote_names.known()
    return each.settings.get("choices") or ()


def _flags(each: Option) -> list[str]:
    if not each.is_flag:
        return []
    flags = [flag for flag in each.flags if flag.startswith("--")]
    action = each.settings.get("action")
    if getattr(action, "__name__", "") == "BooleanOptionalAction":
        flags += [f"--no-{flag[2:]}" for flag in flags]
    return flags


def matcher(
    verbs: Mapping[str, Verb],
    names: ModelNames,
    variables: Callable[[], Mapping[str, Any]] = dict,
) -> Any:
    """An IPython matcher."""
    from IPython.core.completer import CompletionContext, SimpleCompletion, context_matcher

    @context_matcher()
    def lms_matcher(context: CompletionContext) -> Any:
        line = context.text_until_cursor
        words = candidates(line, verbs, names, variables)
        if words is None:
            return {"completions": []}
        names.refresh()
        if re.match(r"\s*%lms\s+get\s", line):
            names.look_up(re.split(r"\s", line)[-1])
        return {
            "completions": [SimpleCompletion(text=word, type="param") for word in words],
            "matched_fragment": re.split(r"\s", line)[-1],
            "suppress": bool(words),
        }

    return lms_matcher
