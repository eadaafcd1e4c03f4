"""Python functions as tools: described by their signatures and docstrings, called with checked values."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Any, NotRequired, get_type_hints

from lmnb.errors import InvalidRequest
from lmnb.notebook.chat.calls import Call
from lmnb.notebook.chat.docstrings import parse_docstring
from lmnb.notebook.chat.values import as_text

Function = Callable[..., Any]
Confirm = Callable[[Call], bool]
"""Asked before each call."""

REFUSED = "The user did not allow this call."


@dataclass(frozen=True)
class Tool:
    """A function that the model may ask for."""

    name: str
    description: str
    parameters: dict[str, Any]
    function: Function
    _check: Callable[[str], dict[str, Any]]

    @classmethod
    def of(cls, function: Any) -> Tool:
        """Raises InvalidRequest for what cannot be called by names."""
        from pydantic import TypeAdapter
        from pydantic.errors import PydanticUserError

        name = getattr(function, "__name__", type(function).__name__)
        if not callable(function):
            raise InvalidRequest(f"A tool is a Python function; not {name}.")
        if not name.isidentifier():
            raise InvalidRequest(f"A tool needs a name: use `def`, not {name}.")
        text = parse_docstring(inspect.getdoc(function) or "")
        try:
            adapter = TypeAdapter(_arguments_type(function, name, text.parameters))
            schema = adapter.json_schema()
        except (PydanticUserError, TypeError, NameError, ValueError) as error:
            raise InvalidRequest(f"{name}() cannot be a tool: {error}") from error
        schema.pop("title", None)
        return cls(name, text.summary, schema, function, adapter.validate_json)

    @property
    def definition(self) -> dict[str, Any]:
        """OpenAI's form."""
        described = {"description": self.description} if self.description else {}
        function = {"name": self.name, **described, "parameters": self.parameters}
        return {"type": "function", "function": function}

    def bind(self, arguments: str) -> Callable[[], Any]:
        """The call, ready to be made. Raises ValueError where the arguments do not fit."""
        values = self._check(arguments or "{}")
        return lambda: self.function(**values)


class Toolbox:
    """The tools of one request."""

    def __init__(self, functions: Iterable[Any], confirm: Confirm | None = None) -> None:
        self._tools = {tool.name: tool for tool in map(Tool.of, functions)}
        self._confirm = confirm or (lambda call: True)

    def __bool__(self) -> bool:
        return bool(self._tools)

    @property
    def definitions(self) -> list[dict[str, Any]]:
        return [tool.definition for tool in self._tools.values()]

    def run(self, call: Call) -> Call:
        """The call with its outcome. A failure is the model's to read, not ours to raise."""
        ready = self._ready(call)
        if isinstance(ready, Call):
            return ready
        try:
            value = ready()
            if inspect.isawaitable(value):
                value = _awaited(value)
            return _done(call, value)
        except Exception as error:
            return _failed(call, error)

    async def arun(self, call: Call) -> Call:
        """The same from `async` code. Plain functions run in a thread: the loop goes on."""
        ready = self._ready(call)
        if isinstance(ready, Call):
            return ready
        try:
            if inspect.iscoroutinefunction(self._tools[call.name].function):
                return _done(call, await ready())
            return _done(call, await asyncio.to_thread(ready))
        except Exception as error:
            return _failed(call, error)

    def _ready(self, call: Call) -> Callable[[], Any] | Call:
        tool = self._tools.get(call.name)
        if tool is None:
            names = ", ".join(self._tools)
            return _failed(call, LookupError(f"There is no tool {call.name!r}, only: {names}"))
        try:
            bound = tool.bind(call.arguments)
        except ValueError as error:
            return _failed(call, error)
        return bound if self._confirm(call) else replace(call, outcome="refused", result=REFUSED)


def _arguments_type(function: Function, name: str, described: dict[str, str]) -> Any:
    """A TypedDict of the parameters: those with a default may be left out."""
    from pydantic import ConfigDict, Field, with_config
    from typing_extensions import TypedDict

    from lmnb.notebook.chat.typed_dicts import portable

    hints = get_type_hints(function, include_extras=True)
    fields = dict[str, Any]()
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise TypeError(f"the parameter {parameter} has no fixed name")
        kind = portable(hints.get(parameter.name, Any))
        if text := described.get(parameter.name):
            kind = Annotated[kind, Field(description=text)]
        needed = parameter.default is parameter.empty
        fields[parameter.name] = kind if needed else NotRequired[kind]
    arguments: Any = TypedDict(name, fields)  # type: ignore[misc]
    return with_config(ConfigDict(extra="forbid"))(arguments)


def _done(call: Call, value: Any) -> Call:
    return replace(call, outcome="done", result=as_text(value))


def _failed(call: Call, error: Exception) -> Call:
    return replace(call, outcome="failed", result=f"{type(error).__name__}: {error}")


def _awaited(value: Awaitable[Any]) -> Any:
    """Its result. A cell runs inside the kernel's loop, which cannot wait for another of its tasks."""
    result = list[Any]()
    failure = list[BaseException]()

    async def wait() -> Any:
        return await value

    def run() -> None:
        try:
            result.append(asyncio.run(wait()))
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=run, name="lmnb-tool", daemon=True)
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return result[0]
