"""Local language models inside Jupyter. Importing this imports nothing heavy."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from lmnb._version import __version__

if TYPE_CHECKING:
    from lmnb.notebook.api.achat import achat
    from lmnb.notebook.api.chat import chat
    from lmnb.notebook.api.embed import aembed, embed
    from lmnb.notebook.api.manage import (
        adownload,
        aestimate,
        aload,
        amodels,
        aunload,
        download,
        estimate,
        load,
        models,
        unload,
    )
    from lmnb.notebook.api.mapping import amap, map  # noqa: A004 - as `lmnb.map`
    from lmnb.notebook.connection.sdk import async_client, client
    from lmnb.notebook.widgets.chat import Chat
    from lmnb.notebook.widgets.compare import Compare
    from lmnb.notebook.widgets.loader import Loader
    from lmnb.notebook.widgets.search import Search
    from lmnb.notebook.widgets.studio import Studio
    from lmnb.notebook.widgets.tokens import Tokens

__all__ = [
    "Chat",
    "Compare",
    "Loader",
    "Search",
    "Studio",
    "Tokens",
    "__version__",
    "achat",
    "adownload",
    "aembed",
    "aestimate",
    "aload",
    "amap",
    "amodels",
    "async_client",
    "aunload",
    "chat",
    "client",
    "download",
    "embed",
    "estimate",
    "load",
    "load_ipython_extension",
    "map",
    "models",
    "unload",
    "unload_ipython_extension",
]

_HOMES = {
    "lmnb.notebook.connection.sdk": "client async_client",
    "lmnb.notebook.api.chat": "chat",
    "lmnb.notebook.api.achat": "achat",
    "lmnb.notebook.api.embed": "embed aembed",
    "lmnb.notebook.api.mapping": "map amap",
    "lmnb.notebook.api.manage": (
        "models load unload estimate download amodels aload aunload aestimate adownload"
    ),
    "lmnb.notebook.widgets.chat": "Chat",
    "lmnb.notebook.widgets.compare": "Compare",
    "lmnb.notebook.widgets.loader": "Loader",
    "lmnb.notebook.widgets.search": "Search",
    "lmnb.notebook.widgets.studio": "Studio",
    "lmnb.notebook.widgets.tokens": "Tokens",
}
_HOME = {name: home for home, names in _HOMES.items() for name in names.split()}


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    """Where Jupyter Server finds the extension."""
    from lmnb.server.extension import LMNBApp

    return [{"module": "lmnb.server.extension", "app": LMNBApp}]


def load_ipython_extension(shell: Any) -> None:
    """`%load_ext lmnb`"""
    from lmnb.notebook.extension import load_ipython_extension as load

    load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """`%unload_ext lmnb`"""
    from lmnb.notebook.extension import unload_ipython_extension as unload

    unload(shell)


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__


class _Room(ModuleType):
    """`lmnb.chat` and `lmnb.models` are functions, and rooms of the server. A process that has
    imported the room finds it under the name: calling it calls the function."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return __getattr__(self.__name__.rpartition(".")[2])(*arguments, **options)


class _Package(ModuleType):
    """Notices when the import system puts a room where a function is."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _HOME and isinstance(value, ModuleType):
            value.__class__ = _Room
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
