"""Who may ask: whoever sends one of the server's keys."""

import hmac
from collections.abc import Iterable
from pathlib import Path

from flask import request
from pydantic import SecretStr

from imagette.serving.api_keys import digest, names_by_digest
from imagette.serving.middleware import KEY_NAME_KEY
from imagette.serving.problems import RequestError

# A browser cannot send a key with an address that is typed in, nor do probes have one; and these
# say nothing of the model.
OPEN_RULES = frozenset(("/healthz", "/readyz", "/openapi.json", "/docs", "/docs/<name>"))
"""URL rules that ask for no key."""


class Authenticator:
    """Holds requests to the server's keys.

    Args:
        keys: the keys, of which any one will do, as `api_keys` has them written.
        file: where there are more; None if nowhere.

    Raises:
        ImagetteError: the file cannot be used.
    """

    def __init__(self, keys: Iterable[SecretStr], file: Path | None = None) -> None:
        self._given, self._file = tuple(keys), file
        self._names = names_by_digest(self._given, file)

    def reload(self) -> None:
        """Read the file of keys again; from now on its keys open, and no others of before.

        Raises:
            ImagetteError: the file cannot be used; the keys of before go on opening.
        """
        self._names = names_by_digest(self._given, self._file)

    def authenticate(self) -> None:
        """Check the key of the request under way; a `before_request` function of Flask.

        The name of the key is left in the request's environment.

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
        given, found = digest(key.strip()), None
        # All are compared, so that the time does not tell which one it was.
        for known, name in self._names.items():
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
