"""Who may ask: whoever sends one of the server's keys."""

import hmac
from collections.abc import Iterable
from hashlib import sha256

from flask import request
from pydantic import SecretStr

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
        keys: the keys, of which any one will do.
    """

    def __init__(self, keys: Iterable[SecretStr]) -> None:
        # Digests are all of one length, which a comparison in constant time needs.
        self._digests = [_digest(key.get_secret_value()) for key in keys]

    def authenticate(self) -> None:
        """Check the key of the request under way; a `before_request` function of Flask.

        Raises:
            RequestError: it has none that the server knows.
        """
        rule = request.url_rule
        # A browser asks by OPTIONS, without a key, whether it may send one.
        if request.method == "OPTIONS" or (rule is not None and rule.rule in OPEN_RULES):
            return
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            key = request.headers.get("X-API-Key", "")
        given = _digest(key.strip())
        # All are compared, so that the time does not tell which one it was.
        if sum(hmac.compare_digest(given, known) for known in self._digests) == 0:
            raise RequestError(
                "unauthorized",
                "This server asks for a key, and the request has none that it knows.",
                "Send yours in the header `Authorization: Bearer KEY` or `X-API-Key: KEY`.",
                {"WWW-Authenticate": "Bearer"},
            )


def _digest(key: str) -> bytes:
    return sha256(key.encode()).digest()
