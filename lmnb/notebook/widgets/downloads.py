"""The server's downloads, with their buttons."""

from __future__ import annotations

import asyncio
from html import escape
from typing import TYPE_CHECKING, Any

from ipywidgets import HTML, Button, FloatProgress, HBox, VBox

from lmnb.notebook.connection.transport import PATIENT
from lmnb.notebook.display.tables import duration, size
from lmnb.notebook.widgets.closing import close_parts
from lmnb.notebook.widgets.panel import quiet

if TYPE_CHECKING:
    from lmnb.notebook.widgets.panel import Panel

LOOK_SECONDS = 0.7
MOVING = ("downloading", "queued")
Job = dict[str, Any]


class Downloads(VBox):
    """One row a job. Looks at the server only while something moves."""

    def __init__(self, panel: Panel) -> None:
        super().__init__()
        self.children: tuple[Row, ...] = ()
        self._panel = panel
        self._rows: dict[str, Row] = {}
        self._looking = False

    async def start(self, model: str, quantization: str | None) -> None:
        """Have the server fetch a model."""
        body = {"model": model} | ({"quantization": quantization} if quantization else {})
        job = await self._panel.ask("POST", "api/v1/models/download", body, timeout=PATIENT)
        if job.get("status") == "already_downloaded":
            self._panel.say(f"{model} is here already.")
        await self.look()

    async def act(self, verb: str, job: str) -> None:
        """`pause`, `resume` or `cancel` one."""
        await self._panel.ask("POST", f"api/v1/models/download/{verb}", {"job_id": job})
        await self.look()

    async def look(self) -> None:
        """See how they are, until none moves any more."""
        if self._looking:
            await self._once()
            return
        self._looking = True
        try:
            while await self._once():  # noqa: ASYNC110 - the server is elsewhere
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            self._looking = False

    async def _once(self) -> bool:
        answer = await self._panel.ask("GET", "api/v1/models/download")
        jobs = [job for job in answer["downloads"] if job.get("job_id")]
        for job in jobs:
            row = self._rows.get(job["job_id"])
            if row is None:
                row = self._rows[job["job_id"]] = Row(job, self)
            row.show(job)
        gone = self._rows.keys() - {job["job_id"] for job in jobs}
        for id in gone:
            self._rows.pop(id).close()
        if gone or len(self._rows) != len(self.children):
            self.children = tuple(self._rows.values())
        return any(job["state"] in MOVING for job in jobs)

    def begin(self, verb: str, job: str) -> None:
        """A button was pressed."""
        self._panel.complain("")
        self._panel.begin(self.act(verb, job))


class Row(HBox):
    """One download."""

    def __init__(self, job: Job, downloads: Downloads) -> None:
        name = job.get("model") or job["job_id"]
        self.bar = FloatProgress(min=0, max=1, layout={"width": "12rem"})
        self.text = HTML()
        self.hold = _button("Pause", f"Pause the download of {name}")
        self.cancel = _button("Cancel", f"Cancel the download of {name}")
        self._name, self._verb = name, "pause"
        self.hold.on_click(lambda _: downloads.begin(self._verb, job["job_id"]))
        self.cancel.on_click(lambda _: downloads.begin("cancel", job["job_id"]))
        wrap = {"flex_flow": "row wrap", "align_items": "center"}
        super().__init__([self.bar, self.hold, self.cancel, self.text], layout=wrap)

    def show(self, job: Job) -> None:
        """How it stands."""
        state = job["state"]
        done, total = job.get("downloaded_bytes") or 0, job.get("total_size_bytes") or 0
        self.bar.value = 1.0 if state == "completed" else done / total if total else 0.0
        self.bar.bar_style = {"completed": "success", "failed": "danger"}.get(state, "")
        moving = state in MOVING
        self._verb = "pause" if moving else "resume"
        self.hold.description = {
            "pause": "Pause",
            "resume": "Retry" if state == "failed" else "Resume",
        }[self._verb]
        self.hold.layout.display = "" if moving or state in ("paused", "failed") else "none"
        self.cancel.layout.display = self.hold.layout.display
        self.text.value = f"<strong>{escape(self._name)}</strong> {quiet(_news(job, state))}"

    def close(self) -> None:
        """Give its parts up, too."""
        close_parts(self)
        super().close()


def _news(job: Job, state: str) -> str:
    done, total = job.get("downloaded_bytes") or 0, job.get("total_size_bytes") or 0
    parts = [state, f"{size(done)} of {size(total)}" if state != "completed" else size(total)]
    if state == "downloading" and (speed := job.get("bytes_per_second")):
        parts += [f"{size(speed)}/s", f"{duration((total - done) / speed)} left"]
    if error := job.get("error"):
        parts.append(error["message"])
    return " · ".join(parts)


def _button(name: str, tooltip: str) -> Button:
    return Button(description=name, tooltip=tooltip, layout={"width": "auto"})
