"""A conversation that can be edited and answered again without losing what was there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from lmnb.notebook.chat.reply import Reply

Role = Literal["user", "assistant"]
State = Literal["done", "streaming", "interrupted", "failed"]


@dataclass(eq=False)
class Turn:
    """A message. Its `branches` are what was said after it, of which one is followed."""

    id: int
    role: Role
    text: str = ""
    images: tuple[str, ...] = ()
    """Data URLs."""
    reply: Reply | None = None
    state: State = "done"
    error: str = ""
    parent: Turn | None = None
    branches: list[Turn] = field(default_factory=list)
    followed: int = 0

    @property
    def siblings(self) -> list[Turn]:
        """Itself and what else stands, or stood, in its place."""
        assert self.parent is not None
        return self.parent.branches

    @property
    def message(self) -> dict[str, Any]:
        """In OpenAI's form."""
        if not self.images:
            return {"role": self.role, "content": self.text}
        pictures = [{"type": "image_url", "image_url": {"url": url}} for url in self.images]
        return {"role": self.role, "content": [{"type": "text", "text": self.text}, *pictures]}


class Tree:
    """Turns below a root that is none. The path from the root along `followed` is what shows."""

    def __init__(self) -> None:
        self._root = Turn(0, "assistant")
        self._turns: dict[int, Turn] = {}

    def __getitem__(self, id: int) -> Turn:
        """Raises KeyError."""
        return self._turns[id]

    def __len__(self) -> int:
        return len(self._turns)

    def path(self) -> list[Turn]:
        """What shows, first to last."""
        return list(self._follow(self._root))

    def path_to(self, turn: Turn) -> list[Turn]:
        """What was said before `turn`, and the turn."""
        path = [turn]
        while (parent := path[0].parent) is not None and parent is not self._root:
            path.insert(0, parent)
        return path

    def add(
        self, after: Turn | None, role: Role, text: str = "", images: Sequence[str] = ()
    ) -> Turn:
        """A new turn after another (None: at the beginning), beside what may be there already.

        It shows from now on.
        """
        parent = after or self._root
        turn = Turn(len(self._turns) + 1, role, text, tuple(images), parent=parent)
        self._turns[turn.id] = turn
        parent.branches.append(turn)
        parent.followed = len(parent.branches) - 1
        return turn

    def beside(self, turn: Turn, text: str = "") -> Turn:
        """Another turn in the place of this one."""
        parent = turn.parent if turn.parent is not self._root else None
        return self.add(parent, turn.role, text, turn.images)

    def follow(self, turn: Turn) -> None:
        """Show this one of those in its place."""
        assert turn.parent is not None
        turn.parent.followed = turn.siblings.index(turn)

    def clear(self) -> None:
        """Forget everything. Ids are not used again."""
        self._root = Turn(0, "assistant")

    def _follow(self, turn: Turn) -> Iterator[Turn]:
        while turn.branches:
            turn = turn.branches[turn.followed]
            yield turn
