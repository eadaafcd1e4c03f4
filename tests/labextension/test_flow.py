"""LM Studio's whole way, in the panel: discover, download, load, chat, serve, revoke, unload."""

from __future__ import annotations

import re

import openai
import pytest
from playwright.sync_api import expect

from tests.hub import Fault
from tests.hub.models import SMOLLM2
from tests.labextension.conftest import Lab
from tests.labextension.pages import LOAD_MS, Panel

FILE = f"{SMOLLM2}/SmolLM2-135M-Instruct-Q4_1.gguf"
DOWNLOADED = "bartowski/smollm2-135m-instruct"


@pytest.mark.slow
def test_from_the_hub_to_a_client_with_a_key(panel: Panel, lab: Lab) -> None:
    root = panel.root
    model = download_paused_and_resumed(panel, lab)

    panel.open("Models")
    root.get_by_role("button", name="My models").click()
    load_with_sliders(panel, model)

    panel.open("Try it")
    root.get_by_label("Model").select_option(model)
    chat_and_stop(panel)

    panel.open("Server")
    url, key = serve_with_a_key(panel)
    client = openai.OpenAI(base_url=url, api_key=key)
    answer = client.chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": "Hello!"}],
        max_tokens=8,
        temperature=0,
    )
    assert answer.choices[0].message.content

    panel.button("Revoke: a notebook").click()
    panel.page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(panel.button("Revoke: a notebook")).to_have_count(0)
    with pytest.raises(openai.AuthenticationError):
        client.models.list()
    client.close()
    panel.button("Stop the server").click()
    expect(panel.button("Start the server")).to_be_visible()

    panel.open("Models")
    panel.unload(model)


def download_paused_and_resumed(panel: Panel, lab: Lab) -> str:
    """The key of what was downloaded."""
    root = panel.root
    root.get_by_role("button", name="Discover").click()
    root.get_by_label("Search models").fill("smollm2")
    found = panel.row(SMOLLM2)
    expect(found).to_be_visible()
    found.get_by_label("Quantisation").select_option("Q4_1")
    expect(found.locator("[data-fit]")).to_have_text("fits")
    lab.hub.arm(FILE, Fault(bytes_per_second=2_000_000))
    found.get_by_role("button", name="Download").click()

    panel.open("Downloads")
    download = panel.row(SMOLLM2)
    expect(download).to_contain_text(re.compile(r"[1-9]\d* MB of 98 MB .* left"))
    download.get_by_role("button", name="Pause").click()
    expect(download).to_contain_text("paused")
    half = lab.hub.sent(FILE)
    assert 0 < half < 97_000_000
    download.get_by_role("button", name="Resume").click()
    expect(download).to_contain_text("done", timeout=LOAD_MS)
    # What was there before the pause is not fetched again.
    assert lab.hub.sent(FILE) < 98_600_000 + 8_000_000
    return DOWNLOADED


def load_with_sliders(panel: Panel, model: str) -> None:
    row = panel.row(model)
    panel.button(f"Load settings: {model}").click()
    memory = row.get_by_role("group", name="Memory")
    expect(memory).to_contain_text("About")
    before = memory.inner_text()
    row.get_by_label("Context length (tokens)").last.fill("2048")
    row.get_by_label("Requests at the same time").last.fill("2")
    expect(memory).not_to_have_text(before)
    panel.button(f"Save: Load settings: {model}").click()
    expect(row.get_by_role("button", name="Saved")).to_be_visible()
    panel.button(f"Load like this: {model}").click()
    expect(panel.button(f"Unload: {model}")).to_be_visible(timeout=LOAD_MS)
    expect(row).to_contain_text("2048 tokens of context")


def chat_and_stop(panel: Panel) -> None:
    root = panel.root
    panel.be_brief()
    panel.say("Say hello.")
    assert panel.answer()
    root.get_by_label("Longest answer").fill("2000")
    expect(root.locator(".jp-lmnb-figures")).to_contain_text("tokens/s")
    size = panel.page.viewport_size
    assert size is not None
    panel.page.set_viewport_size({**size, "height": 400})  # soon there is more than can be shown
    panel.say("Write a very long story about a notebook, in many chapters.")
    expect(root.locator(".jp-lmnb-from-assistant").last).to_contain_text(re.compile(r"[\s\S]{200}"))
    panel.button("Stop").click()
    expect(root.locator(".jp-lmnb-from-assistant").last).to_contain_text("stopped")
    expect(root.get_by_text("stopped")).to_be_in_viewport()
    panel.page.set_viewport_size(size)
    assert len(panel.answer()) > 5


def serve_with_a_key(panel: Panel) -> tuple[str, str]:
    """Its address, and a key that opens it."""
    root = panel.root
    root.get_by_label("Port", exact=True).fill("0")
    root.get_by_label("Every request needs a key").check()
    panel.button("Start the server").click()
    expect(root.get_by_text("Every request needs a key.")).to_be_visible()
    url = root.locator(".jp-lmnb-copyable code", has_text=re.compile(r"127.0.0.1:\d+/v1")).last
    address = url.inner_text()
    root.get_by_label("Name of a new key").fill("a notebook")
    panel.button("Create key").click()
    key = root.locator(".jp-lmnb-newkey code").inner_text()
    root.get_by_role("button", name="Copy: Key a notebook").click()
    panel.page.wait_for_function(
        "key => navigator.clipboard.readText().then(text => text === key)", arg=key
    )
    panel.button("Done").click()
    expect(root.locator(".jp-lmnb-newkey")).to_have_count(0)
    return address, key
