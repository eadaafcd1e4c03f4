"""The engine process: it comes, answers, dies, and takes nothing with it."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import psutil
import pytest

from lmnb.engine import process, pulse
from lmnb.engine.events import Accepted, Delta, Finished
from lmnb.engine.options import Constraint, EngineRequest, LoadOptions, LoraAdapter, Sampling, Span
from lmnb.engine.process import start_engine
from lmnb.engine.protocol import BEAT_SECONDS
from lmnb.engine.spawning import interpreter, spawn
from lmnb.errors import ContextLengthExceeded, EngineDied, LoadFailed, ServiceClosed
from tests.processes import gone

OPTIONS = LoadOptions(slots=2, context_length=1024)


def request(text="Once upon a time", **options):
    options.setdefault("sampling", Sampling(temperature=0))
    return EngineRequest(prompt=(Span(text),), **options)


async def collect(stream):
    return [event async for event in stream]


@contextlib.asynccontextmanager
async def engine(path, options=OPTIONS):
    running = await start_engine(str(path), options)
    try:
        yield running
    finally:
        await running.close()


def wait_until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def test_a_constrained_sequence_leaves_no_process_behind(smollm2):
    """Grammars are inspected in a child of the engine's process."""

    async def main():
        async with engine(smollm2) as running:
            wanted = request(constraint=Constraint(grammar='start: "yes" | "no"'))
            events = await collect(running.submit(wanted))
            children = psutil.Process(running.pid).children()
            running.kill()
            return events, children

    events, children = asyncio.run(main())
    assert "".join(e.text for e in events if isinstance(e, Delta | Finished)) in ("yes", "no")
    assert children
    wait_until(lambda: all(gone(child.pid) for child in children))


def test_a_sequence_is_accepted_told_and_finished(smollm2):
    async def main():
        async with engine(smollm2) as running:
            return await collect(running.submit(request(max_tokens=8, ignore_eos=True)))

    events = asyncio.run(main())
    assert isinstance(events[0], Accepted)
    assert isinstance(events[-1], Finished)
    assert sum(isinstance(event, Delta) for event in events) == 8
    assert events[-1].prompt_tokens == events[0].prompt_tokens


def test_loading_reports_progress(smollm2):
    seen = []

    async def main():
        running = await start_engine(str(smollm2), OPTIONS, seen.append)
        await running.close()

    asyncio.run(main())
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


def test_a_refused_prompt_is_raised_and_the_engine_goes_on(smollm2):
    async def main():
        async with engine(smollm2) as running:
            with pytest.raises(ContextLengthExceeded):
                await collect(running.submit(request("word " * 3000)))
            return await collect(running.submit(request(max_tokens=2)))

    assert isinstance(asyncio.run(main())[-1], Finished)


def test_cancelling_stops_it(smollm2):
    async def main():
        async with engine(smollm2) as running:
            stream = running.submit(request(max_tokens=900, ignore_eos=True))
            async for event in stream:
                if isinstance(event, Delta):
                    stream.cancel()
                    stream.cancel()
            return event, await running.status()

    last, status = asyncio.run(main())
    assert last.reason == "cancelled"
    assert last.completion_tokens < 900
    assert status.running == 0


def test_killed_in_mid_stream_it_fails_its_requests_and_says_so(smollm2):
    async def main():
        running = await start_engine(str(smollm2), OPTIONS)
        streams = [running.submit(request(max_tokens=900, ignore_eos=True)) for _ in range(3)]
        first = streams[0]
        async for event in first:
            if isinstance(event, Delta):
                os.kill(running.pid, signal.SIGKILL)
                break
        for stream in streams:
            with pytest.raises(EngineDied, match="signal 9"):
                await collect(stream)
        assert not running.alive
        with pytest.raises(EngineDied):
            await collect(running.submit(request()))
        with pytest.raises(EngineDied):
            await running.status()

    asyncio.run(main())


def test_closing_returns_all_memory_and_fails_what_runs(smollm2):
    async def main():
        running = await start_engine(str(smollm2), OPTIONS)
        pid = running.pid
        stream = running.submit(request(max_tokens=900, ignore_eos=True))
        async for event in stream:
            if isinstance(event, Delta):
                break
        await running.close()
        with pytest.raises(ServiceClosed):
            await collect(stream)
        await running.close()
        return pid

    assert gone(asyncio.run(main()))


def test_a_worker_that_has_stopped_does_not_stop_the_loop(smollm2):
    async def main():
        running = await start_engine(str(smollm2), OPTIONS)
        os.kill(running.pid, signal.SIGSTOP)
        for _ in range(20):
            running.submit(request("word " * 100_000))
        await running.close()
        return running.pid

    assert gone(asyncio.run(main()))


def test_a_worker_that_hangs_is_ended_and_a_quiet_one_is_not(tiny_model, monkeypatch):
    monkeypatch.setattr(pulse, "PATIENCE", 4)

    async def main():
        running = await start_engine(str(tiny_model("llama")), OPTIONS)
        await asyncio.sleep(4.5 * BEAT_SECONDS)
        await collect(running.submit(request(max_tokens=2)))
        os.kill(running.pid, signal.SIGSTOP)
        for wait in (collect(running.submit(request())), running.status()):
            with pytest.raises(EngineDied, match="no sign of life"):
                await wait
        assert not running.alive
        return running.pid

    assert gone(asyncio.run(main()))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_worker_dies_with_its_parent(smollm2, how):
    program = textwrap.dedent(
        f"""
        import asyncio
        from lmnb.engine.options import LoadOptions
        from lmnb.engine.process import start_engine
        async def main():
            engine = await start_engine({str(smollm2)!r}, LoadOptions(context_length=256))
            print(engine.pid, flush=True)
            await asyncio.sleep(60)
        asyncio.run(main())
        """
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with parent:
        worker = int(parent.stdout.readline())
        assert not gone(worker)
        parent.send_signal(how)
    wait_until(lambda: gone(worker))


def test_cancelling_a_load_leaves_nothing_behind(smollm2):
    async def main():
        before = {child.pid for child in psutil.Process().children()}
        loading = asyncio.ensure_future(start_engine(str(smollm2), OPTIONS))
        await asyncio.sleep(0.05)
        loading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await loading
        return before

    before = asyncio.run(main())
    wait_until(lambda: {c.pid for c in psutil.Process().children() if not gone(c.pid)} <= before)


@pytest.mark.parametrize("spawned", [False, True], ids=["before it is there", "when it is there"])
def test_cancelling_a_spawn_leaves_no_process_that_nobody_waits_for(smollm2, monkeypatch, spawned):
    processes = []

    async def main():
        begun, go_on = asyncio.Event(), threading.Event()
        loop = asyncio.get_running_loop()

        def slow_spawn():
            loop.call_soon_threadsafe(begun.set)
            assert go_on.wait(60)
            processes.append(spawn())
            return processes[0]

        monkeypatch.setattr(process, "spawn", slow_spawn)
        loading = asyncio.ensure_future(start_engine(str(smollm2), OPTIONS))
        await begun.wait()
        if spawned:
            go_on.set()
            wait_until(lambda: processes)  # the loop does not hear of it before it cancels
        loading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await loading
        go_on.set()

    asyncio.run(main())
    wait_until(lambda: processes and processes[0].returncode is not None)
    pipes = processes[0].stdin, processes[0].stdout, processes[0].stderr
    wait_until(lambda: all(pipe.closed for pipe in pipes))


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda data: b"", "GGUF|read|magic|empty|EOF"),
        (lambda data: b"not a model" * 100, "magic"),
        (lambda data: data[: len(data) // 2], "not within|corrupt|incomplete|bounds"),
        (lambda data: data[:100], "GGUF|read|fail"),
    ],
    ids=["empty", "text", "half", "header"],
)
def test_a_damaged_file_says_what_llama_cpp_said(smollm2, tmp_path, damage, reason):
    path = tmp_path / "damaged.gguf"
    path.write_bytes(damage(smollm2.read_bytes()))
    with pytest.raises(LoadFailed, match=reason):
        asyncio.run(start_engine(str(path), OPTIONS))


def test_a_missing_adapter_is_a_failed_load(smollm2):
    options = LoadOptions(lora=(LoraAdapter("/nowhere/adapter.gguf"),))
    with pytest.raises(LoadFailed, match=r"adapter\.gguf"):
        asyncio.run(start_engine(str(smollm2), options))


def test_nobody_waits_while_a_long_text_is_read(smollm2):
    async def main():
        async with engine(smollm2) as running:
            read = {"add_special": False, "parse_special": False}
            long = asyncio.create_task(running.tokenize("x" * 2_000_000, **read))
            await asyncio.sleep(0)
            assert await running.tokenize("Hi", **read)
            await collect(running.submit(request(max_tokens=2)))
            assert not long.done()
            assert len(await long) > 100_000

    asyncio.run(main())


def test_tokens_go_there_and_back(smollm2):
    async def main():
        async with engine(smollm2) as running:
            tokens = await running.tokenize("Grüße, 世界!", add_special=False, parse_special=False)
            return await running.detokenize(tokens)

    assert asyncio.run(main()) == "Grüße, 世界!"


def test_on_windows_a_virtual_environments_python_is_gone_round(monkeypatch) -> None:
    monkeypatch.setattr(sys, "executable", r"C:\env\Scripts\python.exe")
    monkeypatch.setattr(sys, "_base_executable", r"C:\Python\python.exe")
    launcher = {"__PYVENV_LAUNCHER__": r"C:\env\Scripts\python.exe"}
    assert interpreter("win32") == (r"C:\Python\python.exe", launcher)
    assert interpreter("linux") == (r"C:\env\Scripts\python.exe", {})
    monkeypatch.setattr(sys, "_base_executable", sys.executable)
    assert interpreter("win32") == (sys.executable, {})
