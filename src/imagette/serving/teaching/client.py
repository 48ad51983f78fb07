"""Whose a lesson is: who may hold how many is counted by it.

The page beside the server asks for many people. It says which of them by a header, and proves by a
token that it is the page: both processes find the token in the environment.
"""

import hmac
import os
import secrets
from typing import TYPE_CHECKING

from imagette.serving.rate_limit import _client as group_address
from imagette.serving.settings import variable

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

KEY_NAME = "imagette.key_name"
"""Where in a request's WSGI environment the name of its key stands, if it has one."""

TOKEN_VARIABLE = "IMAGETTE_PAGE_TOKEN"
PAGE = "page"
"""Whoever looks at the page from an address that it is not told."""


def introduce_page(trusted_proxies: int) -> None:
    """Leave in the environment what the page and the workers, started after this, need.

    Args:
        trusted_proxies: how many proxies in front are believed about who looks at the page.
    """
    os.environ.setdefault(TOKEN_VARIABLE, secrets.token_urlsafe())
    os.environ[variable("trusted_proxies")] = str(trusted_proxies)


def client_of(environ: "WSGIEnvironment") -> str:
    """Who asks: the person before the page, or the name of a key, or an address.

    An address is an IPv4 one, or the first half of an IPv6 one, as where requests are counted.

    Args:
        environ: the request's WSGI environment.
    """
    token, _, address = environ.get("HTTP_X_IMAGETTE_VISITOR", "").partition(" ")
    known = os.environ.get(TOKEN_VARIABLE, "")
    if known and hmac.compare_digest(token.encode("latin-1"), known.encode()):
        return f"{PAGE} {group_address(address)}" if address else PAGE
    if name := environ.get(KEY_NAME):
        return f"key {name}"
    return f"address {group_address(environ.get('REMOTE_ADDR', ''))}"
