"""Tool calls in the text of an answer, found and read while it comes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from lmnb.chat.arguments import ArgumentsReader, JsonArguments, MarkedArguments
from lmnb.chat.bare import BareArguments
from lmnb.chat.callformat import CallFormat
from lmnb.chat.deltas import Call, Content, Delta
from lmnb.chat.marks import NO, UNDECIDED, past, undecided
from lmnb.chat.tools import Tool

__all__ = ["CallReader"]


class CallReader:
    """Text in, content and calls out; however the text is cut, the joined result is the same.

    A call begins with one of the format's leads. If what follows is not the beginning of a call of
    one of `tools`, all of it is content. From then on the arguments go out as they come, and what
    comes after them and does not belong to the format is content again.
    """

    def __init__(self, format: CallFormat, tools: Sequence[Tool]) -> None:
        self._format = format
        # The longest first: one name may begin another.
        self._tools = sorted(tools, key=lambda tool: -len(tool.name))
        self._held = ""
        self._lead_at = 0
        self._count = 0
        self._after_call = False
        self._state: Literal["text", "header", "arguments", "close", "between"] = "text"
        self._arguments: ArgumentsReader = JsonArguments()

    def feed(self, text: str) -> list[Delta]:
        """The deltas that `text` completes; none is empty."""
        self._held += text
        out: list[Delta] = []
        while self._step(out):
            pass
        return out

    def finish(self) -> list[Delta]:
        """What was still held, now that nothing follows."""
        out: list[Delta] = []
        while self._state == "header":
            self._no_call(out)
            while self._step(out):
                pass
        if self._state == "arguments":
            json, used = self._arguments.finish(self._held)
            self._say(json, used, out)
        elif self._is_only_the_end():
            self._held = ""
        self._give(len(self._held), out)
        return out

    def _step(self, out: list[Delta]) -> bool:
        """Does what the present state can do with what is held. True if that led to another."""
        match self._state:
            case "text":
                return self._find(out)
            case "header":
                return self._open(out)
            case "arguments":
                return self._read(out)
            case "close":
                return self._close()
            case "between":
                return self._go_on(out)

    def _find(self, out: list[Delta]) -> bool:
        """Content, up to what leads a call."""
        if self._after_call:
            self._held = self._held.lstrip()
            self._after_call = not self._held
        found = [at for lead in self._format.leads if (at := self._held.find(lead)) >= 0]
        if not found:
            hold = max(undecided(self._held, lead) for lead in self._format.leads)
            self._give(len(self._held) - hold, out)
            return False
        # Space before a call belongs to it; unless it turns out to be none.
        begin = len(self._held[: min(found)].rstrip())
        self._give(begin, out)
        self._lead_at = min(found) - begin
        self._state = "header"
        return True

    def _open(self, out: list[Delta]) -> bool:
        begun = self._begin(self._lead_at, self._format.start + self._format.open, out)
        if begun is False:
            self._no_call(out)
        return begun is not None

    def _read(self, out: list[Delta]) -> bool:
        json, used, over = self._arguments.take(self._held)
        self._say(json, used, out)
        if over:
            self._state = "close"
        return over

    def _close(self) -> bool:
        end = past(self._held, 0, self._format.close)
        if end == UNDECIDED:
            return False
        self._held = self._held[max(end, 0) :]
        listed = self._format.start or self._format.end
        self._state = "between" if listed and end != NO else "text"
        return True

    def _go_on(self, out: list[Delta]) -> bool:
        """Another call, or the end of the list."""
        begun = self._begin(0, self._format.separator + self._format.open, out)
        if begun is not False:
            return begun is not None
        end = past(self._held, 0, self._format.end)
        if end == UNDECIDED:
            return False
        self._held = self._held[max(end, 0) :]
        self._state = "text"
        return True

    # -- steps

    def _begin(self, at: int, opening: str, out: list[Delta]) -> bool | None:
        """Begins a call that stands at `at`. False if there is none; None while that is open."""
        begun: bool | None = False
        for tool in self._tools:
            end = past(self._held, at, opening + tool.name + self._format.middle)
            if end >= 0:
                follows = self._follows(end)
                if follows:
                    self._start(tool, end, out)
                    return True
                end = UNDECIDED if follows is None else NO
            if end == UNDECIDED:
                begun = None
        return begun

    def _follows(self, at: int) -> bool | None:
        """Whether arguments stand at `at`; None while that is open."""
        form = self._format.parameters
        if self._format.quote:
            return True
        beginnings = ("{",) if form is None else (form.open, self._format.close)
        ends = [past(self._held, at, beginning) for beginning in beginnings]
        return True if max(ends) >= 0 else None if UNDECIDED in ends else False

    def _start(self, tool: Tool, end: int, out: list[Delta]) -> None:
        form = self._format.parameters
        self._held = self._held[end:].lstrip()
        if self._format.quote:
            self._arguments = BareArguments(self._format.quote)
        else:
            self._arguments = MarkedArguments(form, tool.schema) if form else JsonArguments()
        out.append(Call(self._count, name=tool.name))
        self._count += 1
        self._after_call = True
        self._state = "arguments"

    def _no_call(self, out: list[Delta]) -> None:
        """What looked like a call is content."""
        self._give(self._lead_at + 1, out)
        self._state = "text"

    def _is_only_the_end(self) -> bool:
        """Whether what is held is but the beginning of what closes a call, or a list of them."""
        if self._state == "close":
            return True
        return self._state == "between" and past(self._held, 0, self._format.end) == UNDECIDED

    def _say(self, json: str, used: int, out: list[Delta]) -> None:
        if json:
            out.append(Call(self._count - 1, json))
        self._held = self._held[used:]

    def _give(self, length: int, out: list[Delta]) -> None:
        if length:
            out.append(Content(self._held[:length]))
            self._held = self._held[length:]
