"""Who asks: rates, turns and lessons are counted for each client.

The page beside the server asks for many people. It says which of them by a header, and proves by a
token that it is the page: both processes find the token in the environment.
"""

import hmac
import ipaddress
import os
import secrets
from typing import TYPE_CHECKING

from imagette.serving.middleware import KEY_NAME_KEY
from imagette.serving.settings import variable

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

TOKEN_VARIABLE = "IMAGETTE_PAGE_TOKEN"
PAGE = "page"
"""Whoever looks at the page from an address that it is not told."""


def introduce_page(trusted_proxies: int) -> None:
    """Leave in the environment what the page and the workers, started after this, need.

    Args:
        trusted_proxies: how many proxies in front are believed about who looks at the page.
    """
    os.environ[TOKEN_VARIABLE] = os.environ.get(TOKEN_VARIABLE) or secrets.token_urlsafe()
    os.environ[variable("trusted_proxies")] = str(trusted_proxies)


def client_of(environ: "WSGIEnvironment") -> str:
    """Who asks: the person before the page, or the name of a key, or an address.

    An address is an IPv4 one, or the first half of an IPv6 one, which is what one subscriber has.

    Args:
        environ: the request's WSGI environment.
    """
    if visitor := environ.get("HTTP_X_IMAGETTE_VISITOR"):
        token, _, address = visitor.partition(" ")
        known = os.environ.get(TOKEN_VARIABLE, "")
        if known and hmac.compare_digest(token.encode("latin-1"), known.encode()):
            return f"{PAGE} {_group(address)}" if address else PAGE
    if name := environ.get(KEY_NAME_KEY):
        return f"key {name}"
    return f"address {_group(environ.get('REMOTE_ADDR', ''))}"


def _group(address: str) -> str:
    if ":" not in address:
        return address
    if address.startswith("["):  # [2001:db8::1]:1234
        address = address[1:].partition("]")[0]
    elif address.count(":") == 1:  # 203.0.113.7:1234
        return address.partition(":")[0]
    try:
        known = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    if known.ipv4_mapped:
        return str(known.ipv4_mapped)
    return str(ipaddress.ip_network((known, 64), strict=False))
