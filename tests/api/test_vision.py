"""Pictures in every dialect: where they stand, where they come from, and what is refused."""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from lmnb.service.images import MAX_BYTES, ImageSource
from lmnb.service.outbound import Outbound
from tests.api.conftest import Api
from tests.synthetic_vision import picture

PNG = picture(1)
DATA = "data:image/png;base64," + base64.b64encode(PNG).decode()
REMOTE = "https://pictures.example/cat.png"


def chat(url: str) -> tuple[str, dict[str, Any], str]:
    parts = [
        {"type": "text", "text": "Before"},
        {"type": "image_url", "image_url": {"url": url, "detail": "low"}},
        {"type": "text", "text": "after"},
    ]
    return "/v1/chat/completions", {"messages": [{"role": "user", "content": parts}]}, "messages"


def responses(url: str) -> tuple[str, dict[str, Any], str]:
    parts = [
        {"type": "input_text", "text": "Before"},
        {"type": "input_image", "image_url": url, "detail": "auto"},
        {"type": "input_text", "text": "after"},
    ]
    return "/v1/responses", {"input": [{"role": "user", "content": parts}]}, "input"


def anthropic(url: str) -> tuple[str, dict[str, Any], str]:
    source: dict[str, Any] = {"type": "url", "url": url}
    if url.startswith("data:"):
        kind, data = url.removeprefix("data:").split(";base64,")
        source = {"type": "base64", "media_type": kind, "data": data}
    parts = [
        {"type": "text", "text": "Before"},
        {"type": "image", "source": source},
        {"type": "text", "text": "after"},
    ]
    body = {"max_tokens": 9, "messages": [{"role": "user", "content": parts}]}
    return "/v1/messages", body, "messages"


def native(url: str) -> tuple[str, dict[str, Any], str]:
    parts = [
        {"type": "text", "content": "Before"},
        {"type": "image", "data_url": url},
        {"type": "message", "content": "after"},
    ]
    return "/api/v1/chat", {"input": parts}, "input"


Dialect = Callable[[str], tuple[str, dict[str, Any], str]]
DIALECTS = pytest.mark.parametrize("dialect", [chat, responses, anthropic, native])


@pytest.fixture
def seeing(api: Api) -> Api:
    api.engine.vision = True
    return api


async def ask(api: Api, dialect: Dialect, url: str) -> Any:
    path, body, _ = dialect(url)
    return await api.post(path, {"model": api.model, **body})


async def refused(api: Api, url: str, status: int = 400, dialect: Dialect = chat) -> dict[str, Any]:
    answer = await ask(api, dialect, url)
    assert answer.status_code == status, answer.text
    return dict(answer.json()["error"])


@DIALECTS
async def test_a_picture_stands_where_it_was_put(seeing: Api, dialect: Dialect) -> None:
    assert (await ask(seeing, dialect, DATA)).status_code == 200
    sent = seeing.engine.requests[-1]
    assert sent.images == (PNG,)
    before, here, after = sent.prompt
    assert before.text.endswith("user\nBefore")
    assert here.image == 0
    assert after.text.startswith("after<|im_end|>")


@DIALECTS
async def test_a_model_that_cannot_see_says_so(api: Api, dialect: Dialect) -> None:
    error = await refused(api, DATA, dialect=dialect)
    assert "cannot see" in error["message"]
    if dialect is not anthropic:
        assert error["code"] == "image_input_not_supported"
        assert error["param"] == dialect(DATA)[2]
    assert api.engine.requests == []


async def test_several_pictures_keep_their_order(seeing: Api) -> None:
    other = picture(2)
    parts = [
        {"type": "image_url", "image_url": {"url": DATA}},
        {
            "type": "image_url",
            "image_url": "data:image/png;base64," + base64.b64encode(other).decode(),
        },
    ]
    await seeing.post("/v1/chat/completions", {"messages": [{"role": "user", "content": parts}]})
    sent = seeing.engine.requests[-1]
    assert sent.images == (PNG, other)
    assert [span.image for span in sent.prompt if span.image is not None] == [0, 1]


async def test_a_response_goes_on_from_what_was_seen(seeing: Api) -> None:
    first = (await ask(seeing, responses, DATA)).json()["id"]
    await seeing.post("/v1/responses", {"input": "And?", "previous_response_id": first})
    assert seeing.engine.requests[-1].images == (PNG,)
    items = (await seeing.client.get(f"/v1/responses/{first}/input_items")).json()["data"]
    assert items[0]["content"][1] == {"type": "input_image", "image_url": DATA, "detail": "auto"}


async def test_a_tool_can_show_a_picture(seeing: Api) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    shown = [{"type": "image_url", "image_url": {"url": DATA}}]
    messages = [
        {"role": "user", "content": "Look"},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": shown},
    ]
    assert (await seeing.post("/v1/chat/completions", {"messages": messages})).status_code == 200
    assert seeing.engine.requests[-1].images == (PNG,)


async def test_pictures_are_counted(seeing: Api) -> None:
    path, body, _ = anthropic(DATA)
    counted = (await seeing.post(path + "/count_tokens", body)).json()["input_tokens"]
    text = {"messages": [{"role": "user", "content": "Before\nafter"}]}
    plain = (await seeing.post(path + "/count_tokens", text)).json()["input_tokens"]
    assert counted == plain - len("\n") + 10, "the scripted engine's price of a picture"


# -- what is no picture


@pytest.mark.parametrize(
    "url", ["cat.png", "file:///etc/passwd", "data:text/html,x", "data:image/webp;base64,AA", ""]
)
async def test_an_address_that_cannot_be_one_is_refused_by_name(seeing: Api, url: str) -> None:
    error = await refused(seeing, url)
    assert error["param"] == "messages[0].content[1].image_url.url"
    assert (await refused(seeing, url, dialect=responses))["param"].startswith(
        "input[0].content[1].image_url"
    )
    assert (await refused(seeing, url, dialect=native))["param"] == "input[1].data_url"


@pytest.mark.parametrize("url", ["data:image/png;base64,!!!", "data:image/png;base64"])
async def test_broken_encoding_is_refused(seeing: Api, url: str) -> None:
    error = await refused(seeing, url)
    assert (error["code"], error["param"]) == ("invalid_image", "messages")


# -- pictures from elsewhere


@asynccontextmanager
async def gallery() -> AsyncIterator[int]:
    """A server of pictures and worse, on a free port."""

    class Picture(RequestHandler):
        def get(self, name: str) -> None:
            match name:
                case "cat.png":
                    self.set_header("Content-Type", "image/png")
                    self.write(PNG)
                case "host":
                    self.set_header("Content-Type", "image/png")
                    self.write(self.request.host.encode())
                case "here":
                    self.redirect("/cat.png")
                case "away":
                    self.redirect("http://169.254.169.254/latest/meta-data")
                case "round":
                    self.redirect("/round")
                case "page":
                    self.write("<html>")
                case "large":
                    self.set_header("Content-Type", "image/png")
                    self.write(bytes(MAX_BYTES + 1))
                case _:
                    self.send_error(404)

    sockets = bind_sockets(0, "127.0.0.1")
    server = HTTPServer(Application([(r"/(.*)", Picture)], log_function=lambda _: None))
    server.add_sockets(sockets)
    try:
        yield sockets[0].getsockname()[1]
    finally:
        server.stop()
        await server.close_all_connections()


class Names(Outbound):
    """Resolves one name, to this machine, and counts how often it was asked."""

    asked = 0

    async def _resolve(self, host: str, port: int) -> list[Any]:
        if host != "pictures.test":
            return await super()._resolve(host, port)
        self.asked += 1
        return [ipaddress.ip_address("127.0.0.1")]


def fetching(api: Api, *allowed: str) -> Names:
    outbound = Names(allowed)
    api.services.generations.images = ImageSource(outbound, remote=True)
    return outbound


@DIALECTS
async def test_nothing_is_fetched_unless_somebody_allows_it(seeing: Api, dialect: Dialect) -> None:
    path, _, param = dialect(REMOTE)
    error = await refused(seeing, REMOTE, dialect=dialect)
    assert "data: URL" in error["message"]
    if path != "/v1/messages":
        assert (error["code"], error["param"]) == ("remote_images_not_allowed", param)


@pytest.mark.parametrize("name", ["cat.png", "here"])
async def test_an_allowed_picture_is_fetched(seeing: Api, name: str) -> None:
    fetching(seeing, "pictures.test")
    async with gallery() as port:
        await ask(seeing, chat, f"http://pictures.test:{port}/{name}")
    assert seeing.engine.requests[-1].images == (PNG,)


async def test_the_connection_goes_to_the_address_that_was_looked_at(seeing: Api) -> None:
    """The name resolves nowhere but once, in the check; the server still hears it."""
    outbound = fetching(seeing, "pictures.test")
    async with gallery() as port:
        await ask(seeing, chat, f"http://pictures.test:{port}/host")
    assert outbound.asked == 1
    assert seeing.engine.requests[-1].images == (f"pictures.test:{port}".encode(),)


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("none", 400, "invalid_image"),
        ("page", 400, "invalid_image"),
        ("large", 400, "invalid_image"),
        ("round", 502, "host_unreachable"),
        ("away", 403, "permission_denied"),
    ],
)
async def test_what_is_not_a_picture_there_is_refused(
    seeing: Api, name: str, status: int, code: str
) -> None:
    fetching(seeing, "pictures.test")
    async with gallery() as port:
        error = await refused(seeing, f"http://pictures.test:{port}/{name}", status)
    assert error["code"] == code


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "10.1.2.3", "0x7f.1"])
async def test_a_picture_does_not_come_from_the_servers_own_network(seeing: Api, host: str) -> None:
    fetching(seeing)
    assert "no public address" in (await refused(seeing, f"http://{host}/a.png", 403))["message"]
