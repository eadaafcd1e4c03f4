"""Messages come and commands go, whoever serves the pipes; a worker that does not read holds up nobody."""

import asyncio
import contextlib
import os

import pytest

from lmnb.engine import process
from lmnb.engine.options import LoadOptions
from lmnb.engine.pipes import LoopPipes, ThreadPipes
from lmnb.engine.process import start_engine
from lmnb.engine.protocol import (
    LENGTH,
    MAX_FRAME,
    Cancel,
    FrameReader,
    Loading,
    Tokenize,
    decode_command,
    frame,
)

KINDS = pytest.mark.parametrize("kind", [LoopPipes, ThreadPipes])


class Peer:
    """The worker's ends, and what came from it."""

    def __init__(self, kind):
        reading, self.says = os.pipe()
        self.hears, writing = os.pipe()
        self.received = []
        self.spoken_to, self.ended = asyncio.Event(), asyncio.Event()
        self.pipes = kind(reading, writing, self._receive, self.ended.set)

    def _receive(self, messages):
        self.received += messages
        self.spoken_to.set()

    async def say(self, data):
        """In a thread: a pipe holds only so much."""
        await asyncio.to_thread(self._say, data)

    def _say(self, data):
        while data:
            data = data[os.write(self.says, data) :]

    async def hang_up(self):
        for end in (self.says, self.hears):
            with contextlib.suppress(OSError):
                os.close(end)
        await asyncio.wait_for(self.ended.wait(), 10)

    async def hear(self, count):
        """So many commands."""
        reader, commands = FrameReader(decode_command), []
        while len(commands) < count:
            commands += reader.feed(await asyncio.to_thread(os.read, self.hears, 1 << 20))
        return commands


@KINDS
def test_messages_come_in_their_order_however_they_are_cut(kind):
    messages = [Loading(number / 100) for number in range(100)]

    async def main():
        peer = Peer(kind)
        data = b"".join(map(frame, messages))
        for start in range(0, len(data), 7):
            await peer.say(data[start : start + 7])
        await peer.hang_up()
        return peer.received

    assert asyncio.run(main()) == messages


@KINDS
def test_commands_wait_for_a_worker_that_does_not_read_and_are_whole_when_it_does(kind):
    commands = [Tokenize(1, "word " * 200_000, False, False), Cancel(2), Cancel(3)]

    async def main():
        peer = Peer(kind)
        for command in commands:
            peer.pipes.send(command)
        await peer.say(frame(Loading(0.5)))
        await asyncio.wait_for(peer.spoken_to.wait(), 10)  # the loop goes on
        heard = await peer.hear(len(commands))
        peer.pipes.close()
        end = await asyncio.to_thread(os.read, peer.hears, 1)
        await peer.hang_up()
        return heard, end

    assert asyncio.run(main()) == (commands, b"")


@KINDS
@pytest.mark.parametrize("data", [LENGTH.pack(MAX_FRAME + 1), LENGTH.pack(3) + b"\xc1\xc1\xc1"])
def test_what_is_no_message_is_the_end(kind, data):
    async def main():
        peer = Peer(kind)
        await peer.say(data)
        await asyncio.wait_for(peer.ended.wait(), 10)
        received = list(peer.received)
        await peer.hang_up()
        return received

    assert asyncio.run(main()) == []


@KINDS
def test_a_worker_that_is_gone_can_be_spoken_to(kind):
    async def main():
        peer = Peer(kind)
        await peer.hang_up()
        for _ in range(3):
            peer.pipes.send(Cancel(1))
        peer.pipes.close()
        peer.pipes.close()

    asyncio.run(main())


def test_an_engine_is_served_by_threads_too(smollm2, monkeypatch):
    monkeypatch.setattr(process, "open_pipes", ThreadPipes)

    async def main():
        running = await start_engine(str(smollm2), LoadOptions(slots=1, context_length=256))
        tokens = await running.tokenize("Hello", add_special=False, parse_special=False)
        text = await running.detokenize(tokens)
        await running.close()
        return text, running.alive

    assert asyncio.run(main()) == ("Hello", False)
