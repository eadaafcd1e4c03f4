"""A verb as it is typed, run against a client that answers from a script."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from lmnb.notebook.connection.address import Connection
from lmnb.notebook.connection.client import Client
from lmnb.notebook.display.tables import Table
from lmnb.notebook.options import split
from lmnb.notebook.person import Someone
from lmnb.notebook.verbs import VERBS, find_verb

Answer = Any | Callable[[Any], Any]


class ScriptedClient(Client):
    """`answers` by verb and path; a function is given the body. What was asked is in `asked`."""

    def __init__(self, answers: dict[str, Answer]) -> None:
        self.connection = Connection("http://127.0.0.1:1/", "key", "the test")
        self.answers = answers
        self.asked: list[tuple[str, Any]] = []

    def json(self, method: str, path: str, body: Any = None, **more: Any) -> dict[str, Any]:
        route = f"{method} {path}"
        self.asked.append((route, body if body is not None else more.get("params")))
        answer = self.answers[route]
        if callable(answer):
            answer = answer(body)
        if isinstance(answer, BaseException):
            raise answer
        return dict(answer)

    def events(self, path: str, parameters: Any = None) -> Iterator[Any]:  # type: ignore[override]
        self.asked.append((f"GET {path}", parameters))
        yield from self.answers[f"GET {path}"]
        raise KeyboardInterrupt


class ScriptedPerson(Someone):
    """Says what the test tells it to."""

    def __init__(self, *, agrees: bool = False, picks: int | None = None) -> None:
        self._agrees, self._picks = agrees, picks
        self.questions: list[str] = []

    @property
    def is_there(self) -> bool:
        return True

    def agrees(self, question: str) -> bool:
        self.questions.append(question)
        return self._agrees

    def pick(self, question: str, count: int) -> int | None:
        return self._picks


@dataclass
class RecordingScreen:
    """Keeps what it is told, in order."""

    person: Someone = field(default_factory=Someone)
    program: str = "lmnb"
    said: list[str] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)
    details: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        self.said.append(text)

    write = say

    def show(self, table: Table) -> None:
        self.said.append(table.to_text())

    def progress(self, label: str) -> RecordingScreen:
        return self

    def move(self, share: float, detail: str = "") -> None:
        self.shares.append(share)
        self.details.append(detail)

    def done(self, text: str) -> None:
        self.said.append(text)

    def failed(self) -> None:
        self.said.append("[failed]")

    @property
    def text(self) -> str:
        return "\n".join(self.said)


def run(line: str, client: Any, screen: RecordingScreen) -> Any:
    """What `lmnb LINE` would do."""
    verb, words = find_verb(split(line), VERBS, "lmnb")
    return verb.run(client, screen, verb.parser("lmnb").parse_line(words))
