"""What browsers are told of the page: where it may be shown, and what it may load and run."""

import base64
import hashlib
import re
from pathlib import Path

import streamlit
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from imagette.webapp import html_parts


def security_headers() -> dict[str, str]:
    """The headers of every answer.

    Only the page's own scripts run: files that it serves, those written into it, by their digests,
    and the camera, a module that Streamlit makes of its text (`blob:`). Styles are written into the
    page all over by Streamlit. Nothing is loaded from elsewhere, so that no text, whatever is in
    it, can tell another site who looks at the page.
    """
    scripts = " ".join(map(_digest, (*_inline_scripts(), *html_parts.SCRIPTS)))
    policy = {
        "default-src": "'self'",
        "script-src": f"'self' blob: {scripts}",
        "style-src": "'self' 'unsafe-inline'",
        "connect-src": "'self' data: blob:",  # the camera's picture is read from such an address
        "img-src": "'self' data: blob:",
        "font-src": "'self' data:",
        "media-src": "'self' blob:",
        "worker-src": "'self' blob:",
        "object-src": "'none'",
        "base-uri": "'self'",
        "form-action": "'self'",
        "frame-ancestors": "'self'",
    }
    return {
        "Content-Security-Policy": "; ".join(f"{what} {where}" for what, where in policy.items()),
        "X-Frame-Options": "SAMEORIGIN",  # for browsers that do not know frame-ancestors
        "X-Content-Type-Options": "nosniff",
        # The address of a lesson is what lets people into it.
        "Referrer-Policy": "same-origin",
        "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    }


class SecurityHeaders:
    """Middleware that puts them on every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._headers = security_headers()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self._headers)
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _inline_scripts() -> list[str]:
    """Those that stand in Streamlit's own page."""
    index = Path(streamlit.__file__).with_name("static") / "index.html"
    return re.findall("<script>(.*?)</script>", index.read_text(encoding="utf-8"), re.DOTALL)


def _digest(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
