"""lmnb's routes on a port of their own, at the root: LM Studio's address space."""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import Any

import msgspec
from tornado import httputil
from tornado.httpserver import HTTPServer
from tornado.web import Application

from lmnb.api.anthropic.errors import VERSION, error_json
from lmnb.api.base import MAX_BODY_BYTES, ApiHandler, endpoint, new_request_id
from lmnb.api.encoding import BodyTooLarge
from lmnb.api.routes import mount
from lmnb.api.services import SETTING, Services
from lmnb.server.gate import Gate
from lmnb.service.caller import Caller

__all__ = ["Listener"]

GATE_SETTING = "lmnb_gate"
CLOSE_SECONDS = 2.0
access_log = logging.getLogger("lmnb.access")


class ListenerHandler(ApiHandler):
    """Leaves the question who may call to the gate."""

    @property
    def gate(self) -> Gate:
        gate: Gate = self.settings[GATE_SETTING]
        return gate

    async def admit(self) -> Caller:
        return await self.gate.admit(self.request)

    def set_default_headers(self) -> None:
        super().set_default_headers()
        if self.gate.cors:
            # Cookies mean nothing here: whoever shows a key may come from anywhere.
            self.set_header("Access-Control-Allow-Origin", "*")
            self.set_header("Access-Control-Expose-Headers", "*")

    @endpoint
    async def options(self, *_: str) -> None:
        """With CORS on, pages may ask what they may send. It is nothing without a key."""
        methods = ", ".join(self.allowed_methods())
        if self.gate.cors and "Origin" in self.request.headers:
            asked = self.request.headers.get("Access-Control-Request-Headers", "")
            self.set_header("Access-Control-Allow-Methods", methods)
            self.set_header("Access-Control-Allow-Headers", f"authorization, x-api-key, {asked}")
            self.set_header("Access-Control-Allow-Private-Network", "true")
            self.set_header("Vary", "Access-Control-Request-Headers")
        self.set_header("Allow", methods)
        self.set_status(204)
        self.finish()


class ListenerApplication(Application):
    """Refuses bodies that are announced too long before they are read."""

    def find_handler(  # type: ignore[override]
        self, request: httputil.HTTPServerRequest, **kwargs: Any
    ) -> httputil.HTTPMessageDelegate:
        length = request.headers.get("Content-Length", "0")
        if length.isascii() and length.isdigit() and int(length[:20]) > MAX_BODY_BYTES:
            return _Refusal(request)
        return super().find_handler(request, **kwargs)


class _Refusal(httputil.HTTPMessageDelegate):
    """Answers 413 at once. The connection ends: the body may still be on its way."""

    def __init__(self, request: httputil.HTTPServerRequest) -> None:
        self._connection = request.connection

    def headers_received(self, start_line: Any, headers: httputil.HTTPHeaders) -> None:
        error, id = BodyTooLarge(MAX_BODY_BYTES), new_request_id()
        speaks_anthropic = VERSION in headers
        body = msgspec.json.encode(error_json(error, id) if speaks_anthropic else error.to_json())
        lines = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        lines["request-id" if speaks_anthropic else "x-request-id"] = id
        connection: Any = self._connection
        connection.write_headers(
            httputil.ResponseStartLine("HTTP/1.1", error.status, "Request Entity Too Large"),
            httputil.HTTPHeaders({**lines, "Connection": "close"}),
            body,
        )
        connection.finish()


class Listener:
    """An HTTP server on sockets that are bound already."""

    def __init__(self, services: Services, gate: Gate, sockets: list[socket.socket]) -> None:
        routes = mount(ListenerHandler)
        settings: dict[str, Any] = {
            SETTING: services,
            GATE_SETTING: gate,
            "log_function": _log_request,
            "default_handler_class": routes[-1][1],
        }
        application = ListenerApplication(list(routes), **settings)
        self._server = HTTPServer(application, max_body_size=2 * MAX_BODY_BYTES)
        self._sockets = sockets

    def start(self) -> None:
        self._server.add_sockets(self._sockets)

    def close_port(self) -> None:
        """No new connections."""
        self._server.stop()

    async def stop(self, seconds: float = 0) -> None:
        """No new connections; those that are open end after so many seconds."""
        self.close_port()
        await asyncio.sleep(seconds)
        try:
            await asyncio.wait_for(self._server.close_all_connections(), CLOSE_SECONDS)
        except TimeoutError:
            pass


def _log_request(handler: Any) -> None:
    request = handler.request
    milliseconds = 1000 * request.request_time()
    access_log.info(
        "%d %s %s %.1f ms", handler.get_status(), request.method, request.path, milliseconds
    )
