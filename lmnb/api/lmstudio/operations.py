"""What can be asked of LM Studio's native API and of what is ours in its style."""

from __future__ import annotations

from lmnb.api.answers import downloads, lmstudio, models, server
from lmnb.api.lmstudio.catalogue.routes import CATALOGUE_OPERATIONS
from lmnb.api.lmstudio.chat.request import NativeChatRequest
from lmnb.api.lmstudio.downloads import DownloadRequest, JobRequest
from lmnb.api.lmstudio.estimate import EstimateRequest
from lmnb.api.lmstudio.importing import ImportRequest
from lmnb.api.lmstudio.keys import NewKey
from lmnb.api.lmstudio.load import LoadRequest
from lmnb.api.lmstudio.log import LogQuery
from lmnb.api.lmstudio.server import StartRequest
from lmnb.api.lmstudio.settings import SettingsRequest
from lmnb.api.lmstudio.unload import UnloadRequest
from lmnb.api.lmstudio.v0.routes import V0_OPERATIONS
from lmnb.api.operation import Operation

__all__ = ["LMSTUDIO_OPERATIONS"]

LMSTUDIO_OPERATIONS = (
    *V0_OPERATIONS,
    Operation(
        "post",
        "/api/v1/chat",
        "Continue a chat that is remembered, with tools of MCP servers",
        lmstudio.NativeChat,
        NativeChatRequest,
        streams=True,
        error=lmstudio.NativeError,
    ),
    Operation("get", "/api/v1/models", "Models on disk and loaded", models.NativeModelList),
    Operation(
        "post",
        "/api/v1/models/load",
        "Load a model",
        models.ModelLoad,
        LoadRequest,
        streams=True,
    ),
    Operation(
        "post",
        "/api/v1/models/estimate",
        "What a load would take",
        models.ModelEstimate,
        EstimateRequest,
    ),
    Operation(
        "post",
        "/api/v1/models/unload",
        "Unload a model",
        models.ModelUnload,
        UnloadRequest,
    ),
    Operation(
        "post",
        "/api/v1/models/import",
        "Bring a file among the models",
        models.NativeModel | models.PlannedImport,
        ImportRequest,
    ),
    Operation(
        "post",
        "/api/v1/models/download",
        "Fetch a model from the Hub",
        downloads.DownloadStatus,
        DownloadRequest,
    ),
    Operation("get", "/api/v1/models/download", "All downloads", downloads.DownloadList),
    Operation(
        "get",
        "/api/v1/models/download/status/{job_id}",
        "How far a download is",
        downloads.DownloadStatus,
    ),
    Operation(
        "post",
        "/api/v1/models/download/pause",
        "Stop a download, and keep what has arrived",
        downloads.DownloadStatus,
        JobRequest,
    ),
    Operation(
        "post",
        "/api/v1/models/download/resume",
        "Go on with a download",
        downloads.DownloadStatus,
        JobRequest,
    ),
    Operation(
        "post",
        "/api/v1/models/download/cancel",
        "Stop a download, and delete what has arrived",
        downloads.DownloadStatus,
        JobRequest,
    ),
    Operation(
        "get", "/api/v1/models/settings/{key}", "How a model is loaded", models.ModelSettings
    ),
    Operation(
        "put",
        "/api/v1/models/settings/{key}",
        "Change how a model is loaded, from the next time on",
        models.ModelSettings,
        SettingsRequest,
    ),
    Operation(
        "delete",
        "/api/v1/models/settings/{key}",
        "Load a model as the server is set",
        models.ModelSettings,
    ),
    *CATALOGUE_OPERATIONS,
    Operation("get", "/api/v1/events", "What happens, as it happens", None, endless=True),
    Operation("get", "/api/v1/status", "Server, models, machine", models.Status),
    Operation("get", "/api/v1/server", "Its own port", server.Listener),
    Operation("post", "/api/v1/server/start", "Open its own port", server.Listener, StartRequest),
    Operation("post", "/api/v1/server/stop", "Close its own port", server.Listener),
    Operation("get", "/api/v1/keys", "API keys that were made", server.KeyList),
    Operation("post", "/api/v1/keys", "Make an API key", server.CreatedKey, NewKey),
    Operation("delete", "/api/v1/keys/{id}", "Revoke an API key", server.RevokedKey),
    Operation(
        "get",
        "/api/v1/log",
        "Requests, prompts, answers, engines",
        server.LogEntries,
        query=LogQuery,
    ),
    Operation("get", "/lmstudio-greeting", "Is this LM Studio's API", server.Greeting, public=True),
)
