"""The one server this process talks to, found once and kept."""

from __future__ import annotations

import threading

from lmnb.errors import ServerNotFound
from lmnb.notebook.connection import discovery
from lmnb.notebook.connection.address import Connection
from lmnb.notebook.connection.client import Client
from lmnb.notebook.connection.local_server import LocalServer

NOT_FOUND = (
    "No lmnb server found. In Jupyter, lmnb runs inside the notebook server; elsewhere, run "
    "`lmnb serve` in a terminal, or set LMNB_BASE_URL (and LMNB_API_KEY) to one that runs."
)


class Session:
    """Finds the server when it is first needed; again when it was lost."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._client: Client | None = None
        self._local: LocalServer | None = None

    def connection(self) -> Connection:
        """Where the server is. Raises ServerNotFound, saying what to do."""
        return self.client().connection

    def client(self) -> Client:
        """A client of the server."""
        with self._lock:
            if self._client is None:
                connection = discovery.find()
                if connection is None:
                    raise ServerNotFound(NOT_FOUND)
                self._client = Client(connection)
            return self._client

    def start_local(self) -> Connection:
        """Start a server that lives as long as this process, and talk to it from now on."""
        with self._lock:
            if self._local is None or not self._local.is_running():
                self._local = LocalServer()
            self._replace(Client(self._local.connection))
            return self._local.connection

    def forget(self) -> None:
        """Look for the server anew at the next use."""
        with self._lock:
            self._replace(None)

    def _replace(self, client: Client | None) -> None:
        if self._client is not None:
            self._client.close()
        self._client = client


session = Session()
