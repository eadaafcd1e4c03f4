"""The typed client of lmnb's own routes. The OpenAI routes have the openai SDK: see `sdk.py`."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

import httpx

from lmnb import errors
from lmnb.errors import LmnbError
from lmnb.notebook.discovery import Connection
from lmnb.notebook.sse import read_events
from lmnb.notebook.wire import ChatEvent, End, Model, Progress, Reasoning, Status, Text

QUICK = httpx.Timeout(30, connect=5)
PATIENT = httpx.Timeout(None, connect=5)  # loads and answers take as long as they take


class Client:
    """One server. Every failure is an `lmnb.errors.LmnbError` with the server's own message."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._http = httpx.Client(
            base_url=connection.base_url,
            headers={"Authorization": f"Bearer {connection.bearer}"},
            timeout=QUICK,
            trust_env=not connection.is_loopback,
            verify=not connection.is_loopback,
        )

    def close(self) -> None:
        """Give the sockets back."""
        self._http.close()

    def models(self) -> list[Model]:
        """Every model on the server's machine."""
        return cast(list[Model], self._json("GET", "api/v1/models")["models"])

    def status(self) -> Status:
        """The server, what it has loaded, and the machine it runs on."""
        return cast(Status, self._json("GET", "api/v1/status"))

    def load(
        self,
        model: str,
        options: Mapping[str, Any] | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> dict[str, Any]:
        """Load a model; `progress` hears shares from 0.0 to 1.0. Returns what the server says."""
        body = {"model": model, **(options or {}), "stream": True, "echo_load_config": True}
        with self._stream("api/v1/models/load", body) as response:
            if "event-stream" not in response.headers.get("content-type", ""):
                response.read()
                return cast(dict[str, Any], response.json())
            for event in read_events(response.iter_bytes()):
                if not event.data:
                    continue
                data = json.loads(event.data)
                kind = data.get("type") or event.event
                if kind == "model_load.progress" and progress is not None:
                    progress(float(data.get("progress", 0)))
                elif kind == "model_load.end":
                    return cast(dict[str, Any], data)
                elif kind == "error" or "error" in data:
                    raise error_from(data, 500)
        raise errors.LoadFailed(f"The server stopped while it loaded {model!r}.")

    def unload(self, instance_id: str) -> None:
        """Unload a loaded model by its identifier."""
        self._json("POST", "api/v1/models/unload", {"instance_id": instance_id}, timeout=PATIENT)

    def import_file(self, path: str, mode: str | None = None) -> Model:
        """Bring a GGUF file of the server's machine among the models."""
        body = {"path": path} | ({"mode": mode} if mode else {})
        return cast(Model, self._json("POST", "api/v1/models/import", body, timeout=PATIENT))

    def chat(
        self, model: str, messages: Sequence[Mapping[str, Any]], **parameters: Any
    ) -> Generator[ChatEvent]:
        """A streamed answer. Closing the iterator closes the socket, which stops the generation."""
        body = {
            **parameters,
            "model": model,
            "messages": list(messages),
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        with self._stream("v1/chat/completions", body) as response:
            yield from _chat_events(response.iter_bytes(), model)

    def _json(self, method: str, path: str, body: Any = None, **kwargs: Any) -> dict[str, Any]:
        with self._failures():
            response = self._http.request(method, path, json=body, **kwargs)
            _check(response)
            value = response.json()
        if not isinstance(value, dict):
            raise LmnbError(f"{response.url} did not answer as an lmnb server does.")
        return value

    @contextmanager
    def _stream(self, path: str, body: Any) -> Iterator[httpx.Response]:
        with (
            self._failures(),
            self._http.stream("POST", path, json=body, timeout=PATIENT) as response,
        ):
            if response.is_error:
                response.read()
            _check(response)
            yield response

    @contextmanager
    def _failures(self) -> Iterator[None]:
        """What goes wrong on the way becomes one of our errors."""
        where = self.connection.base_url
        try:
            yield
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise errors.ServerNotFound(f"No lmnb server answers at {where}.") from error
        except httpx.TimeoutException as error:
            raise errors.ServerNotFound(f"The lmnb server at {where} does not answer.") from error
        except httpx.TransportError as error:
            raise errors.ServiceClosed(f"The connection to {where} was lost.") from error
        except ValueError as error:
            raise LmnbError(f"{where} did not answer as an lmnb server does.") from error


def _chat_events(chunks: Iterator[bytes], model: str) -> Iterator[ChatEvent]:
    reason, usage, timings = "", dict[str, Any](), dict[str, Any]()
    for event in read_events(chunks):
        if event.comment:
            if progress := _prompt_progress(event.comment):
                yield progress
            continue
        if event.data == "[DONE]":
            break
        data = json.loads(event.data)
        if "error" in data:
            raise error_from(data, 500)
        model = data.get("model") or model
        usage = data.get("usage") or usage
        timings = data.get("timings") or timings
        for choice in data.get("choices", ()):
            delta = choice.get("delta") or {}
            if thought := delta.get("reasoning_content") or delta.get("reasoning"):
                yield Reasoning(thought)
            if text := delta.get("content"):
                yield Text(text)
            reason = choice.get("finish_reason") or reason
    if not reason:
        raise errors.ServiceClosed("The answer broke off: the server closed the stream.")
    yield End(reason, model, usage, timings)


def _prompt_progress(comment: str) -> Progress | None:
    word, _, count = comment.partition(" ")
    done, _, total = count.partition("/")
    if word == "prompt" and done.isdigit() and total.isdigit():
        return Progress(int(done), int(total))
    return None


def error_from(body: Any, status: int) -> LmnbError:
    """The error a server's answer stands for, with its message."""
    facts = body.get("error") if isinstance(body, dict) else None
    if isinstance(facts, str):
        facts = {"message": facts}
    if not isinstance(facts, dict):
        facts = {}
    message = str(facts.get("message") or f"The server answered with status {status}.")
    code = facts.get("code")
    classes = [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, LmnbError)]
    kind = (
        next((c for c in classes if code and c.code == code), None)
        or next((c for c in classes if c.status == status and c is not LmnbError), None)
        or LmnbError
    )
    return kind(message, param=facts.get("param"), code=code)


def _check(response: httpx.Response) -> None:
    if response.is_success:
        return
    try:
        body = response.json()
    except ValueError:
        body = None
    raise error_from(body, response.status_code)
