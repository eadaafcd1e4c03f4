"""The typed client of lmnb's own routes. The OpenAI routes have the openai SDK: see `sdk.py`."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

import httpx

from lmnb.notebook.connection.address import Connection
from lmnb.notebook.connection.chat_stream import USAGE, ChatReader
from lmnb.notebook.connection.load_stream import LoadReader, is_stream, load_request
from lmnb.notebook.connection.sse import read_events
from lmnb.notebook.connection.transport import PATIENT, check, failures, http_options, json_object
from lmnb.notebook.connection.wire import ChatEvent, Model, Status


class Client:
    """One server. Every failure is an `lmnb.errors.LmnbError` with the server's own message."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._http = httpx.Client(**http_options(connection))

    def close(self) -> None:
        """Give the sockets back."""
        self._http.close()

    def models(self) -> list[Model]:
        """Every model on the server's machine."""
        return cast(list[Model], self.json("GET", "api/v1/models")["models"])

    def status(self) -> Status:
        """The server, what it has loaded, and the machine it runs on."""
        return cast(Status, self.json("GET", "api/v1/status"))

    def load(
        self,
        model: str,
        options: Mapping[str, Any] | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> dict[str, Any]:
        """Load a model; `progress` hears shares from 0.0 to 1.0. Returns what the server says.

        An interrupt closes the stream, which ends the load.
        """
        reader = LoadReader(model, progress)
        with self._stream("api/v1/models/load", load_request(model, options)) as response:
            if not is_stream(response):
                response.read()
                return cast(dict[str, Any], response.json())
            for chunk in response.iter_bytes():
                reader.feed(chunk)
            return reader.end()

    def unload(self, instance_id: str, *, cancel_running: bool = False) -> None:
        """Unload a loaded model by its identifier. It finishes its answers first, unless they are
        to be cancelled."""
        body = {"instance_id": instance_id} | ({"cancel_running": True} if cancel_running else {})
        self.json("POST", "api/v1/models/unload", body, timeout=PATIENT)

    def import_file(self, path: str, mode: str | None = None, name: str | None = None) -> Model:
        """Bring a GGUF file of the server's machine among the models, in `name`'s folder."""
        asked = {"path": path, "mode": mode, "name": name}
        body = {key: value for key, value in asked.items() if value}
        return cast(Model, self.json("POST", "api/v1/models/import", body, timeout=PATIENT))

    def chat(
        self, model: str, messages: Sequence[Mapping[str, Any]], **parameters: Any
    ) -> Generator[ChatEvent]:
        """A streamed answer. Closing the iterator closes the socket, which stops the generation."""
        body = {**parameters, "model": model, "messages": list(messages), **USAGE}
        reader = ChatReader(model)
        with self._stream("v1/chat/completions", body) as response:
            for chunk in response.iter_bytes():
                yield from reader.feed(chunk)
            yield reader.end()

    def count(
        self, model: str, messages: Sequence[Mapping[str, Any]], **parameters: Any
    ) -> tuple[int, int]:
        """The tokens of a conversation as it would be computed, and the model's room for them.

        Loads the model if it is not.
        """
        body = {**parameters, "model": model, "messages": list(messages)}
        path = "v1/chat/completions/input_tokens"
        counted = self.json("POST", path, body, timeout=PATIENT)
        return int(counted["input_tokens"]), int(counted["context_length"])

    def tokens(self, model: str, text: str) -> int:
        """The tokens of a text. Loads the model if it is not."""
        body = {"model": model, "content": text, "parse_special": False}
        return int(self.json("POST", "v1/tokenize", body, timeout=PATIENT)["count"])

    def events(self, path: str, parameters: Mapping[str, str] | None = None) -> Generator[Any]:
        """What a route tells as it happens, until the iterator is closed."""
        with self._stream(path, method="GET", params=parameters) as response:
            for event in read_events(response.iter_bytes()):
                if event.data:
                    yield json.loads(event.data)

    def json(self, method: str, path: str, body: Any = None, **kwargs: Any) -> dict[str, Any]:
        """What a route answers."""
        with failures(self.connection.base_url):
            return json_object(self._http.request(method, path, json=body, **kwargs))

    @contextmanager
    def _stream(
        self, path: str, body: Any = None, *, method: str = "POST", **more: Any
    ) -> Iterator[httpx.Response]:
        with (
            failures(self.connection.base_url),
            self._http.stream(method, path, json=body, timeout=PATIENT, **more) as response,
        ):
            if response.is_error:
                response.read()
            check(response)
            yield response
