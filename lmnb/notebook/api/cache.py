"""Answers in a file, line by line: what `lmnb.map(..., resume=path)` need not ask again."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import IO, Any

from lmnb.errors import InvalidRequest
from lmnb.notebook.chat.exchange import Question


class AnswerCache:
    """Found by all that makes an answer: model, messages, schema, sampling. Safe to interrupt."""

    def __init__(self, path: Path) -> None:
        self._answers = _read(path)
        try:
            self._file: IO[str] = path.open("a", encoding="utf-8")
        except OSError as error:
            reason = error.strerror or error
            raise InvalidRequest(f"{path} cannot be written: {reason}") from error

    def get(self, question: Question) -> str | None:
        """The text that answered this question."""
        return self._answers.get(_key(question))

    def put(self, question: Question, text: str) -> None:
        """Keep an answer, now."""
        line = json.dumps({"key": _key(question), "text": text}, ensure_ascii=False)
        self._file.write(line + "\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def _key(question: Question) -> str:
    facts: list[Any] = [question.model, list(question.messages), question.fields]
    text = json.dumps(facts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _read(path: Path) -> dict[str, str]:
    answers = dict[str, str]()
    if not path.exists():
        return answers
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            entry = json.loads(line)
            answers[entry["key"]] = entry["text"]
        except (ValueError, KeyError, TypeError):
            if number == 1:  # the last line may be cut off; a first one is no line of ours
                raise InvalidRequest(f"{path} is no file of answers to resume from.") from None
    return answers
