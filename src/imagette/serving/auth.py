"""Who may ask, and how often."""

import hmac
import logging
from hashlib import sha256

from flask import Flask, request

from imagette.serving.problems import RequestError
from imagette.serving.rate_limit import RateLimit
from imagette.serving.settings import Settings

# What a server that watches this one asks. They take neither key nor turn.
_PROBES = frozenset(("show_health", "show_readiness"))
# A browser cannot send a key with an address that is typed in; and these say nothing of the model.
_OPEN = _PROBES | {"show_openapi", "show_docs", "send_docs_file"}


def guard(app: Flask, settings: Settings) -> None:
    """Hold every request to the keys and the rate of the settings.

    Raises:
        ImagetteError: requests cannot be counted where the settings say.
    """
    if settings.requests_per_minute:
        _limit_rate(app, settings)
    if settings.api_keys:
        _ask_for_keys(app, [key.get_secret_value() for key in settings.api_keys])


def _limit_rate(app: Flask, settings: Settings) -> None:
    limit = RateLimit(settings.requests_per_minute, settings.rate_storage or "memory://")

    @app.before_request
    def count() -> None:
        address = request.remote_addr or ""
        if request.endpoint in _PROBES:
            return
        try:
            if limit.allows(address):
                return
            seconds = limit.seconds_to_wait(address)
        except Exception:  # whatever the client of a storage elsewhere raises
            # Rather a server without a limit than none.
            logging.getLogger("imagette").exception("Requests cannot be counted")
            return
        raise RequestError(
            "too-many-requests",
            f"This client has asked more than the {settings.requests_per_minute} times a minute"
            " that this server allows.",
            f"Ask again in {seconds} s.",
            {"Retry-After": str(seconds)},
        )


def _ask_for_keys(app: Flask, keys: list[str]) -> None:
    # Digests are all of one length, which a comparison in constant time needs.
    digests = [sha256(key.encode()).digest() for key in keys]

    def is_key(given: str) -> bool:
        digest = sha256(given.encode()).digest()
        # All are compared, so that the time does not tell which one it was.
        return sum(hmac.compare_digest(digest, known) for known in digests) > 0

    @app.before_request
    def check_key() -> None:
        # A browser asks by OPTIONS, without a key, whether it may send one.
        if request.endpoint in _OPEN or request.method == "OPTIONS":
            return
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            key = request.headers.get("X-API-Key", "")
        if not is_key(key.strip()):
            raise RequestError(
                "unauthorized",
                "This server asks for a key, and the request has none that it knows.",
                "Send yours in the header `Authorization: Bearer KEY` or `X-API-Key: KEY`.",
                {"WWW-Authenticate": "Bearer"},
            )
