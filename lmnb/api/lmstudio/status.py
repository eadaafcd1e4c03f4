"""GET /api/v1/status."""

from __future__ import annotations

from lmnb.api.base import ApiHandler, endpoint
from lmnb.api.lmstudio import describe

__all__ = ["StatusHandler"]


class StatusHandler(ApiHandler):
    """The server, what it has loaded, the machine. Asking for it keeps no server awake."""

    @endpoint
    async def get(self) -> None:
        self.reply(await describe.status(self.services, self._base_url()))

    head = get

    def _base_url(self) -> str:
        root = self.request.path.removesuffix("/").removesuffix("/api/v1/status")
        return f"{self.request.protocol}://{self.request.host}{root}/v1"
