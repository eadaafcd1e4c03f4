"""Local language models inside Jupyter. Importing this imports nothing heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lmnb._version import __version__

if TYPE_CHECKING:
    from lmnb.notebook.sdk import async_client, client

__all__ = [
    "__version__",
    "async_client",
    "client",
    "load_ipython_extension",
    "unload_ipython_extension",
]


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
    if name in ("client", "async_client"):
        from lmnb.notebook import sdk

        return getattr(sdk, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
