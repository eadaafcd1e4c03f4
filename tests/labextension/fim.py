"""An engine that completes code as a script says, and writes down what it is asked."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

from lmnb.engine.options import EngineRequest
from tests.models import raw
from tests.scripted import Script, ScriptedEngine, ScriptedFactory, ScriptedStream

SLOW = "slow"
"""Whoever asks to go on from here waits for ever."""
ANSWER = ("math", ".pi *", " r ** 2")
LOG = "FIM_LOG"
"""Environment variable: the file with what was asked, a line each."""


def write_model(path: Path) -> Path:
    """A model whose vocabulary has a token for filling in."""
    tokens = b"".join(map(raw.text, ("a", "<|fim_prefix|>")))
    vocabulary = raw.array("tokenizer.ggml.tokens", raw.STRING, 2, tokens)
    return raw.put(path, raw.model(metadata=[vocabulary]))


class FillingEngine(ScriptedEngine):
    def submit(self, request: EngineRequest) -> ScriptedStream:
        before = "".join(getattr(part, "text", "") for part in request.prompt)
        note(before=before, after=request.suffix)
        hold = asyncio.Event() if before.endswith(SLOW) else None
        self.scripts = [Script(texts=ANSWER, hold=hold)]
        stream = super().submit(request)
        if hold:
            self.watch = asyncio.ensure_future(watch(stream))
        return stream


async def watch(stream: ScriptedStream) -> None:
    await stream.cancelled.wait()
    note(cancelled=True)


def note(**facts: Any) -> None:
    with open(os.environ[LOG], "a") as file:
        file.write(json.dumps(facts) + "\n")


start_engine = ScriptedFactory(FillingEngine())
