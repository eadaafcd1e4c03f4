"""Who may call inside a notebook server: whoever Jupyter (or JupyterHub) lets in, or lmnb's key."""

from __future__ import annotations

from jupyter_server.auth import User
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.utils import ensure_async
from tornado import web

from lmnb.api.base import ApiHandler, endpoint
from lmnb.errors import AuthenticationError, PermissionDenied
from lmnb.server.keys import KeyRing, presented_keys
from lmnb.service.caller import Caller

__all__ = ["KEYS_SETTING", "NotebookHandler"]

KEYS_SETTING = "lmnb_keys"
AUTH_RESOURCE = "lmnb"
SAFE = ("GET", "HEAD", "OPTIONS")


class NotebookHandler(ApiHandler, JupyterHandler):  # type: ignore[misc]  # both prepare
    """Jupyter's own checks, with refusals that an OpenAI client understands."""

    async def admit(self) -> Caller:
        if not self.check_host():
            raise PermissionDenied(f"Host {self.request.host!r} is not allowed here.")
        keys: KeyRing = self.settings[KEYS_SETTING]
        if caller := await keys.caller(self.request):
            self.current_user = self._jupyter_current_user = User("lmnb")
            self._token_authenticated = True
            return caller
        await self._admit_by_jupyter()
        if self.current_user is None:
            raise AuthenticationError(self._complaint())
        if not self.check_origin():
            raise PermissionDenied(f"Origin {self.get_origin()} is not allowed here.")
        reads = self.request.method in SAFE and "Upgrade" not in self.request.headers
        action = "read" if reads else "write"  # a WebSocket asks for responses
        allowed = self.authorizer.is_authorized(self, self.current_user, action, AUTH_RESOURCE)
        if not await ensure_async(allowed):
            raise PermissionDenied(f"{self.current_user.username} may not {action} lmnb.")
        return Caller(self.current_user.display_name)

    async def _admit_by_jupyter(self) -> None:
        headers = self.request.headers
        if "x-api-key" in headers and not headers.get("Authorization"):
            # Anthropic's clients show Jupyter's token there, where Jupyter does not look.
            headers["Authorization"] = f"Bearer {headers['x-api-key']}"
        try:
            await JupyterHandler.prepare(self)
        except web.HTTPError as error:
            if error.status_code >= 500:  # JupyterHub does not answer
                raise
            if getattr(self, "_jupyter_current_user", None) is None:
                raise AuthenticationError(self._complaint()) from None
            reason = error.log_message or "Jupyter refused the request."
            raise PermissionDenied(
                f"{reason} (Scripts send an 'Authorization' header instead of a cookie.)"
            ) from None

    def check_xsrf_cookie(self) -> None:
        """Only where a cookie would let somebody in: else there is nothing to forge."""
        if getattr(self, "_jupyter_current_user", self) is None:
            return  # a 401 follows, which says more than a missing cookie
        if not self.identity_provider.auth_enabled and "Authorization" in self.request.headers:
            # Open to all. No form of another site can send this header, and a script of another
            # site would have to ask first (preflight), which check_origin refuses.
            return
        super().check_xsrf_cookie()

    def get_login_url(self) -> str:
        """An API redirects nobody."""
        raise web.HTTPError(401)

    @endpoint
    async def options(self, *_: str) -> None:
        """Pages of origins that `ServerApp.allow_origin` names may ask what they may send."""
        self.current_user = self._jupyter_current_user = None
        self.set_cors_headers()
        if "Access-Control-Allow-Origin" in self._headers:
            self.set_header(
                "Access-Control-Allow-Headers", "authorization, content-type, x-xsrftoken"
            )
            self.set_header("Access-Control-Allow-Methods", ", ".join(self.allowed_methods()))
        self.set_header("Allow", ", ".join(self.allowed_methods()))
        self.set_status(204)
        self.finish()

    def _complaint(self) -> str:
        if presented_keys(self.request):
            return "Incorrect API key provided: it is neither this server's token nor lmnb's key."
        return "No API key provided. Use the Jupyter server's token (or lmnb's key) as API key."
