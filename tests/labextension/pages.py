"""What a person does with the panel, by mouse and keyboard, as a test says it."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

from tests.labextension.lab import TOKEN

LOAD_MS = 60_000


def until(page: Page, condition: Callable[[], object]) -> None:
    """Wait for what does not show on the page, which goes on meanwhile."""
    for _ in range(600):
        if condition():
            return
        page.wait_for_timeout(50)
    raise AssertionError("it did not happen")


class Panel:
    """The panel of one page."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def visit(self, url: str) -> None:
        """Open the application there."""
        self.page.goto(f"{url}?token={TOKEN}&reset")
        self.page.wait_for_function("() => window.jupyterapp?.started")
        self.page.evaluate("() => window.jupyterapp.started")

    def command(self, name: str, **arguments: object) -> None:
        """Run one of the application's commands; does not wait for its end."""
        self.page.evaluate(
            "([name, args]) => { void window.jupyterapp.commands.execute(name, args) }",
            [name, arguments],
        )

    def open(self, tab: str = "Models") -> None:
        self.page.wait_for_selector("#lmnb-panel", state="attached")
        if not self.root.is_visible():
            self.command("lmnb:open")
        self.root.get_by_role("tab", name=tab).click()

    @property
    def root(self) -> Locator:
        return self.page.locator("#lmnb-panel")

    def button(self, name: str) -> Locator:
        """By its accessible name: `Load: smollm2-135m-instruct`."""
        return self.root.get_by_role("button", name=name, exact=True)

    def row(self, name: str) -> Locator:
        """A model or a download."""
        return self.root.locator(".jp-lmnb-row", has_text=name)

    # -- models

    def load(self, model: str) -> None:
        self.button(f"Load: {model}").click()
        expect(self.button(f"Unload: {model}")).to_be_visible(timeout=LOAD_MS)

    def unload(self, model: str) -> None:
        self.button(f"Unload: {model}").click()
        expect(self.button(f"Load: {model}")).to_be_visible(timeout=LOAD_MS)

    # -- the chat

    def say(self, text: str) -> None:
        """Type a message and send it by Enter."""
        message = self.root.get_by_label("Message")
        message.fill(text)
        expect(self.button("Send")).to_be_enabled()  # there is a model
        message.press("Enter")

    def be_brief(self) -> None:
        """The same answer every time, and a short one: a small model may go on for ever."""
        self.root.get_by_text("System prompt and parameters").click()
        self.root.get_by_label("Temperature").fill("0")
        self.root.get_by_label("Longest answer").fill("24")

    def answer(self) -> str:
        """The last answer, once it is complete."""
        expect(self.root.get_by_role("log")).to_have_attribute(
            "aria-busy", "false", timeout=LOAD_MS
        )
        return self.root.locator(".jp-lmnb-from-assistant .jp-lmnb-text").last.inner_text()
