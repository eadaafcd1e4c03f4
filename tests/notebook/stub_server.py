"""A stand-in for the server: the HTTP contract on loopback, with a script instead of a model."""

from __future__ import annotations

import asyncio
import json
import struct
import threading
from base64 import b64encode
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.iostream import StreamClosedError
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

KEY = "stub-key"
TIMINGS = {
    "predicted_per_second": 50.0,
    "first_token_ms": 120.0,
    "context_length": 4096,
}


def model(key: str, *loaded: str) -> dict[str, Any]:
    return {
        "type": "llm",
        "publisher": "test",
        "key": key,
        "display_name": key,
        "architecture": "llama",
        "quantization": {"name": "Q4_1", "bits_per_weight": 4},
        "size_bytes": 98_000_000,
        "params_string": "135M",
        "loaded_instances": [{"id": name, "config": {}} for name in loaded],
        "max_context_length": 8192,
        "format": "gguf",
    }


class StubServer:
    """Answers with `answer`, a list of strings (text), dicts (deltas, errors) and numbers (waits)."""

    def __init__(self) -> None:
        self.reset()
        self.loop = asyncio.new_event_loop()
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self._thread.start()
        ready.wait(10)

    def reset(self) -> None:
        self.answer: list[Any] = ["Hello", " there."]
        self.models = [model("tiny", "tiny")]
        self.bodies: list[dict[str, Any]] = []
        self.load_events: list[Any] = [
            {"type": "model_load.progress", "progress": 0.5},
            {"type": "model_load.end", "instance_id": "tiny", "load_time_seconds": 1.5},
        ]
        self.answers: list[list[Any]] = []
        """One for each request to come; then `answer` again."""
        self.missing: set[str] = set()
        """Names of models that are on the Hub only."""
        self.context_length = 4096
        self.downloads: list[dict[str, Any]] = []
        """Those that the server knows."""
        self.download_status = "completed"
        """Of one that was begun."""
        self.has_ended = False
        """It can be paused no more."""
        self.client_left = threading.Event()
        self.download_followed = threading.Event()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    @property
    def prompts(self) -> list[str]:
        """The last message of each request."""
        return [body["messages"][-1]["content"] for body in self.chats]

    @property
    def chats(self) -> list[dict[str, Any]]:
        """The chat requests."""
        return [body for body in self.bodies if "messages" in body]

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(5)

    def _run(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self.loop)
        routes = [
            ("/health", Health),
            ("/api/v1/(models|status|server)", Facts),
            ("/api/v1/models/(load|unload|import)", Manage),
            ("/api/v1/models/(resolve|download|estimate)", Hub),
            ("/api/v1/models/(tiny)", OneModel),
            ("/api/v1/models/(download)", Hub),
            ("/api/v1/models/download/(pause|status/job_1)", Hub),
            ("/v1/chat/completions/(input_tokens)", Count),
            ("/v1/(tokenize)", Count),
            ("/v1/embeddings", Embed),
            ("/v1/chat/completions", Chat),
        ]
        with_stub = [(path, handler, {"stub": self}) for path, handler in routes]
        server = HTTPServer(Application(with_stub))
        sockets = bind_sockets(0, "127.0.0.1")
        self.port = sockets[0].getsockname()[1]

        async def start() -> None:
            server.add_sockets(sockets)
            ready.set()

        self.loop.run_until_complete(start())
        self.loop.run_forever()
        server.stop()
        self.loop.run_until_complete(server.close_all_connections())
        self.loop.run_until_complete(self._end())
        self.loop.close()

    async def _end(self) -> None:
        """Answers that wait for something wait no more."""
        waiting = asyncio.all_tasks() - {asyncio.current_task()}
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


class Handler(RequestHandler):
    def initialize(self, stub: StubServer) -> None:
        self.stub = stub

    def prepare(self) -> None:
        if self.request.path != "/health" and not self.allowed():
            self.fail(401, "invalid_api_key", "Incorrect API key.")

    def allowed(self) -> bool:
        return self.request.headers.get("Authorization") == f"Bearer {KEY}"

    def fail(self, status: int, code: str, message: str) -> None:
        self.set_status(status)
        self.finish({"error": {"message": message, "type": "x", "param": None, "code": code}})

    def on_connection_close(self) -> None:
        self.stub.client_left.set()

    async def event(self, data: Any, name: str = "") -> None:
        text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
        self.write((f"event: {name}\n" if name else "") + f"data: {text}\n\n")
        await self.flush()


class Health(Handler):
    def get(self) -> None:
        self.finish({"status": "ok"})


class Facts(Handler):
    def get(self, what: str) -> None:
        if what == "models":
            self.finish({"models": self.stub.models})
            return
        if what == "server":
            self.finish({"running": False})
            return
        loaded = [
            {
                "identifier": instance["id"],
                "model": entry["key"],
                "state": "IDLE",
                "size_bytes": entry["size_bytes"],
                "context_length": 4096,
                "parallel": 4,
                "memory_bytes": 150_000_000,
            }
            for entry in self.stub.models
            for instance in entry["loaded_instances"]
        ]
        memory = {"memory_total_bytes": 8e9, "memory_available_bytes": 4e9}
        machine = {"cpu_count": 2, "gpus": [], **memory}
        self.finish({"version": "0", "uptime_seconds": 61.0, "loaded": loaded, "machine": machine})


class OneModel(Handler):
    def get(self, key: str) -> None:
        self.finish(next(entry for entry in self.stub.models if entry["key"] == key))


class Manage(Handler):
    async def post(self, what: str) -> None:
        body = json.loads(self.request.body)
        self.stub.bodies.append(body)
        if what == "load":
            self.set_header("Content-Type", "text/event-stream")
            for event in self.stub.load_events:
                if isinstance(event, int | float):
                    await asyncio.sleep(event)
                else:
                    await self.event(event, event["type"])
        elif what == "unload":
            for entry in self.stub.models:
                entry["loaded_instances"] = [
                    i for i in entry["loaded_instances"] if i["id"] != body["instance_id"]
                ]
            self.finish(body)
        else:
            self.finish(model("imported"))


class Hub(Handler):
    def post(self, what: str) -> None:
        body = json.loads(self.request.body)
        self.stub.bodies.append(body)
        if what == "resolve":
            facts = {"files": ["tiny.gguf"], "size_bytes": 98e6, "why": [], "certain": True}
            self.finish({"repo": "acme/tiny-GGUF", "quantization": "Q4_K_M", **facts})
        elif what == "estimate":
            self.finish({"model": body["model"], "total_bytes": 150_000_000, "fit": "cpu"})
        elif what == "pause" and self.stub.has_ended:
            self.fail(400, "x", "job_1 is completed.")
        else:
            status = "paused" if what == "pause" else "downloading"
            self.finish({"job_id": "job_1", "status": status, "total_size_bytes": 98})

    def get(self, what: str) -> None:
        if what == "download":
            self.finish({"downloads": self.stub.downloads})
            return
        self.stub.missing.clear()
        self.stub.download_followed.set()
        status = self.stub.download_status
        size = {"total_size_bytes": 98, "downloaded_bytes": 98}
        self.finish({"job_id": "job_1", "status": status, "key": "tiny-q4", **size})


class Count(Handler):
    """A token is a word; the count of a conversation is not among `bodies`."""

    def post(self, what: str) -> None:
        body = json.loads(self.request.body)
        if body["model"] in self.stub.missing:
            self.fail(404, "model_not_found", f"No model {body['model']!r} here.")
            return
        if what == "tokenize":
            self.finish({"tokens": [], "count": len(body["content"].split())})
            return
        count = sum(len(str(message["content"]).split()) for message in body["messages"])
        self.finish({"input_tokens": count, "context_length": self.stub.context_length})


class Embed(Handler):
    """The vector of a text is its length, and 1."""

    def post(self) -> None:
        body = json.loads(self.request.body)
        self.stub.bodies.append(body)
        data = []
        for index, text in enumerate(body["input"]):
            packed = struct.pack("<2f", len(text), 1.0)
            data.append({"index": index, "embedding": b64encode(packed).decode()})
        self.finish({"data": data[::-1], "model": body["model"]})


class Chat(Handler):
    async def post(self) -> None:
        body = json.loads(self.request.body)
        self.stub.bodies.append(body)
        answer = self.stub.answers.pop(0) if self.stub.answers else self.stub.answer
        first = answer[0] if answer else ""
        if isinstance(first, dict) and "status" in first:
            self.fail(first["status"], first["code"], first["message"])
            return
        self.set_header("Content-Type", "text/event-stream")
        try:
            await self.stream(body["model"], answer)
        except StreamClosedError:
            self.stub.client_left.set()

    async def stream(self, name: str, answer: list[Any]) -> None:
        reason = "stop"
        for part in answer:
            if isinstance(part, int | float):
                await asyncio.sleep(part)
            elif part == "CLOSE":
                self.request.connection.stream.close()  # type: ignore[attr-defined]
                return
            elif isinstance(part, dict) and "error" in part:
                await self.event(part)
                return
            elif isinstance(part, str) and part.startswith(":"):
                self.write(f"{part}\n\n")
                await self.flush()
            elif isinstance(part, dict) and "finish_reason" in part:
                reason = part["finish_reason"]
            else:
                delta = part if isinstance(part, dict) else {"content": part}
                await self.event({"model": name, "choices": [{"delta": delta}]})
        end = {"delta": {}, "finish_reason": reason}
        await self.event({"model": name, "choices": [end], "timings": TIMINGS})
        usage = {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12}
        await self.event({"model": name, "choices": [], "usage": usage, "timings": TIMINGS})
        await self.event("[DONE]")
        self.finish()
