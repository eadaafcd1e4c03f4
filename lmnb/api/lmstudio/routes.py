"""Every route of LM Studio's native API, and what is ours in its style."""

from __future__ import annotations

from lmnb.api.base import ApiHandler
from lmnb.api.lmstudio.catalogue.routes import CATALOGUE_ROUTES
from lmnb.api.lmstudio.chat.handler import NativeChatHandler
from lmnb.api.lmstudio.downloads import (
    CancelHandler,
    DownloadsHandler,
    DownloadStatusHandler,
    PauseHandler,
    ResumeHandler,
)
from lmnb.api.lmstudio.estimate import EstimateHandler
from lmnb.api.lmstudio.events import EventsHandler
from lmnb.api.lmstudio.greeting import GreetingHandler
from lmnb.api.lmstudio.importing import ImportHandler
from lmnb.api.lmstudio.keys import KeyHandler, KeysHandler
from lmnb.api.lmstudio.load import LoadHandler
from lmnb.api.lmstudio.log import LogHandler
from lmnb.api.lmstudio.models import ModelsHandler
from lmnb.api.lmstudio.server import ServerHandler, ServerStartHandler, ServerStopHandler
from lmnb.api.lmstudio.settings import SettingsHandler
from lmnb.api.lmstudio.status import StatusHandler
from lmnb.api.lmstudio.unload import UnloadHandler
from lmnb.api.lmstudio.v0.routes import V0_ROUTES

__all__ = ["LMSTUDIO_ROUTES"]

LMSTUDIO_ROUTES: list[tuple[str, type[ApiHandler]]] = [
    *V0_ROUTES,
    (r"/api/v1/chat/?", NativeChatHandler),
    (r"/api/v1/models/?", ModelsHandler),
    (r"/api/v1/models/load/?", LoadHandler),
    (r"/api/v1/models/estimate/?", EstimateHandler),
    (r"/api/v1/models/unload/?", UnloadHandler),
    (r"/api/v1/models/import/?", ImportHandler),
    (r"/api/v1/models/download/?", DownloadsHandler),
    (r"/api/v1/models/download/status/([^/]+)/?", DownloadStatusHandler),
    (r"/api/v1/models/download/pause/?", PauseHandler),
    (r"/api/v1/models/download/resume/?", ResumeHandler),
    (r"/api/v1/models/download/cancel/?", CancelHandler),
    (r"/api/v1/models/settings/(.+?)/?", SettingsHandler),
    *CATALOGUE_ROUTES,
    (r"/api/v1/events/?", EventsHandler),
    (r"/api/v1/status/?", StatusHandler),
    (r"/api/v1/server/?", ServerHandler),
    (r"/api/v1/server/start/?", ServerStartHandler),
    (r"/api/v1/server/stop/?", ServerStopHandler),
    (r"/api/v1/keys/?", KeysHandler),
    (r"/api/v1/keys/([^/]+)", KeyHandler),
    (r"/api/v1/log/?", LogHandler),
    (r"/lmstudio-greeting/?", GreetingHandler),
]
