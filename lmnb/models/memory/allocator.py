"""ggml's allocator for graphs: how large the buffer is in which a graph is computed.

Tensors of a graph share one buffer; each is laid where it first fits best among what is free, and
is free again when its last reader has been computed. The same rules in the same order give the same
size as llama.cpp's. Source: `ggml/src/ggml-alloc.c`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Node", "buffer_size"]

ALIGNMENT = 32
"""Of a processor's own memory (`TENSOR_ALIGNMENT`)."""
_ENDLESS = 1 << 62


@dataclass(frozen=True, slots=True)
class Node:
    """One tensor of a graph.

    `size` in bytes; 0: a view, or a write to memory that is elsewhere. `sources`: the positions of
    the tensors it reads. `in_place`: it may take the place of a source that nobody else reads.
    `given`: an input; it has its place before anything is computed.
    """

    size: int
    sources: tuple[int, ...] = ()
    in_place: bool = False
    given: bool = False


def buffer_size(nodes: Sequence[Node]) -> int:
    """Bytes of the buffer that `nodes`, computed in this order, need."""
    readers = [0] * len(nodes)
    for node in nodes:
        for source in node.sources:
            readers[source] += 1
    space = _Space()
    places: dict[int, tuple[int, int]] = {}

    def place(index: int) -> None:
        size = -(-nodes[index].size // ALIGNMENT) * ALIGNMENT
        if size:
            places[index] = space.take(size), size

    for index, node in enumerate(nodes):
        if node.given:
            place(index)
    for index, node in enumerate(nodes):
        if not node.given:
            former = _replaced(nodes, index, readers, places) if node.in_place else None
            if former is None:
                place(index)
            else:
                places[index] = places.pop(former)
        for source in node.sources:
            readers[source] -= 1
            if not readers[source] and source in places:
                space.give(*places.pop(source))
    return space.size


def _replaced(
    nodes: Sequence[Node],
    index: int,
    readers: Sequence[int],
    places: dict[int, tuple[int, int]],
) -> int | None:
    """The source whose place a node takes over."""
    node = nodes[index]
    for source in node.sources:
        if source in places and readers[source] == 1 and nodes[source].size == node.size:
            return source
    return None


class _Space:
    """A stretch of bytes that grows as it must. `_free`: (start, length), in order of start."""

    def __init__(self) -> None:
        self._free: list[tuple[int, int]] = [(0, _ENDLESS)]
        self.size = 0

    def take(self, size: int) -> int:
        """Where `size` bytes go: the smallest hole that holds them, else the open end."""
        *holes, _end = self._free
        fitting = [
            (length, -position) for position, (_, length) in enumerate(holes) if length >= size
        ]
        position = -min(fitting)[1] if fitting else len(holes)
        start, length = self._free[position]
        if length == size:
            del self._free[position]
        else:
            self._free[position] = start + size, length - size
        self.size = max(self.size, start + size)
        return start

    def give(self, start: int, size: int) -> None:
        """These bytes are free again."""
        position = sum(1 for begin, _ in self._free if begin < start)
        self._free.insert(position, (start, size))
        for left in (position, position - 1):
            if 0 <= left < len(self._free) - 1:
                (begin, length), (following, more) = self._free[left : left + 2]
                if begin + length == following:
                    self._free[left : left + 2] = [(begin, length + more)]
