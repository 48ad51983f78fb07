"""The path below which API and page are found, where one public address serves other things too.

Nothing heavy is imported here: the health checks of containers read it every few seconds.
"""

import os
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

VARIABLE = "IMAGETTE_BASE_PATH"

OUTSIDE_KEY = "imagette.outside"
"""Where in the WSGI environment of a request that is not below the base path that path stands."""

# What watches the server asks it directly and not through the proxy.
_PROBES = frozenset(("/healthz", "/readyz", "/metrics"))

# Without `.` and `..`, which browsers and proxies resolve.
_PATH = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]+)+", re.ASCII)


def normalise_base_path(text: str) -> str:
    """A base path as it is used: `/imagette` for `imagette`, `imagette/` and so on; empty for none.

    Raises:
        ValueError: it is not a path, or one that proxies may change on the way.
    """
    path = text.strip().removesuffix("/")
    if "://" in path:
        raise ValueError("Give the path alone, such as /imagette, without the address before it")
    if path and not path.startswith("/"):
        path = f"/{path}"
    if path and not _PATH.fullmatch(path):
        raise ValueError(
            "Give a path such as /imagette or /apps/imagette, of letters, digits and . _ ~ -"
        )
    return path


def base_path_of_environment() -> str:
    """The base path that the environment names; empty for none.

    Raises:
        ValueError: what stands there cannot be one.
    """
    return normalise_base_path(os.environ.get(VARIABLE, ""))


def enter_base_path(environ: "WSGIEnvironment", base_path: str) -> str:
    """Take the base path off the path that a request asks for, as WSGI has it.

    A request that is not below it is marked by `OUTSIDE_KEY`. `/healthz`, `/readyz` and `/metrics`
    are there without the base path too.

    Args:
        environ: the request's WSGI environment, which is changed.
        base_path: as `normalise_base_path` gives it, not empty.

    Returns:
        The path that is left; empty for a request that is not below the base path.
    """
    path: str = environ["PATH_INFO"]
    if path == base_path or path.startswith(f"{base_path}/"):
        environ["SCRIPT_NAME"] = environ.get("SCRIPT_NAME", "") + base_path
        environ["PATH_INFO"] = path.removeprefix(base_path) or "/"
        return environ["PATH_INFO"]
    if path in _PROBES:
        return path
    environ[OUTSIDE_KEY] = base_path
    return ""


class BelievePrefix:
    """Takes from proxies, as `X-Forwarded-Prefix`, the path that they took off; WSGI middleware.

    Each that takes a path off appends it; others leave the header as it is, so there may be fewer
    values than proxies. Further ones come from whoever asks, and are not believed.

    Args:
        application: what is asked then.
        proxies: how many are believed.
    """

    def __init__(self, application: "WSGIApplication", proxies: int) -> None:
        self._application, self._proxies = application, proxies

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Answer a request, as WSGI has it."""
        if prefix := environ.get("HTTP_X_FORWARDED_PREFIX"):
            told = prefix.split(",")[-self._proxies :]
            parts = [one.strip().removesuffix("/") for one in told]
            path = "".join(one if one.startswith("/") else f"/{one}" for one in parts if one)
            if _PATH.fullmatch(path):
                environ["SCRIPT_NAME"] = path
        return self._application(environ, start_response)


def public_path(environ: "WSGIEnvironment") -> str:
    """The path below which whoever asks finds this server's addresses; empty for none.

    It is the base path, or what a trusted proxy says that it took off.
    """
    path: str = environ.get("SCRIPT_NAME", "").removesuffix("/")
    return path if _PATH.fullmatch(path) else ""
