"""Who may ask: whoever sends one of the server's keys."""

import hmac

from flask import Request

from imagette.serving.api_keys import KeyRing, digest
from imagette.serving.middleware import KEY_NAME_KEY
from imagette.serving.problems import RequestError

# A browser cannot send a key with an address that is typed in, nor do probes have one; and these
# say nothing of the model.
OPEN_RULES = frozenset(
    ("/healthz", "/readyz", "/v2/health/live", "/v2/health/ready", "/openapi.json", "/docs",
     "/docs/<name>")
)  # fmt: skip
"""URL rules that ask for no key."""


class Authenticator:
    """Holds requests to the server's keys.

    Args:
        keys: of which any one will do.
    """

    def __init__(self, keys: KeyRing) -> None:
        self.keys = keys

    def authenticate(self, request: Request) -> None:
        """Check the key of a request.

        The name of the key is left in the request's environment.

        Raises:
            RequestError: it has none that the server knows.
        """
        rule = request.url_rule
        # A browser asks by OPTIONS, without a key, whether it may send one.
        if request.method == "OPTIONS" or (rule is not None and rule.rule in OPEN_RULES):
            return
        scheme, _, key = request.environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() != "bearer":
            key = request.environ.get("HTTP_X_API_KEY", "")
        given, found = digest(key.strip()), None
        # All are compared, so that the time does not tell which one it was.
        for known, name in self.keys.names.items():
            if hmac.compare_digest(given, known):
                found = name
        if found is None:
            raise RequestError(
                "unauthorized",
                "This server asks for a key, and the request has none that it knows.",
                "Send yours in the header `Authorization: Bearer KEY` or `X-API-Key: KEY`.",
                {"WWW-Authenticate": "Bearer"},
            )
        request.environ[KEY_NAME_KEY] = found
