"""Addresses to listen on."""

import errno
import http.client
import os
import socket

from imagette.errors import ImagetteError

_ALL_ADDRESSES = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def resolve(host: str) -> str:
    """The IP address of a host name, an IPv4 one where there is one.

    Raises:
        ImagetteError: there is none.
    """
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ImagetteError(
            f"There is no address called {host}.",
            "Give 127.0.0.1 for this machine alone, or 0.0.0.0 to let other machines in.",
        ) from error
    addresses = sorted(found, key=lambda entry: entry[0] != socket.AF_INET)
    return str(addresses[0][4][0])


def check_free(address: str, port: int, option: str) -> None:
    """See that a port of an IP address can be listened on.

    Args:
        address: IP address.
        port: the port.
        option: what another port is chosen with on the command line.

    Raises:
        ImagetteError: it cannot.
    """
    another = f"Choose another one with {option}."
    if not 0 < port < 65536:
        raise ImagetteError(f"There is no port {port}: ports go from 1 to 65535.", another)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            if os.name == "posix":  # so that a server that has just stopped does not count
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((address, port))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ImagetteError(
                f"The port {port} is in use by another program"
                " (on a Mac, 5000 may be AirPlay Receiver's).",
                f"Stop that program, or choose another port with {option}.",
            ) from error
        if error.errno == errno.EACCES:
            raise ImagetteError(
                f"You may not listen on the port {port}: those below 1024 are reserved.", another
            ) from error
        raise ImagetteError(
            f"{address} is not an address of this machine.",
            "Give 127.0.0.1 for this machine alone, or 0.0.0.0 to let other machines in.",
        ) from error


def is_up(address: str, port: int, path: str) -> bool:
    """Whether what listens there answers a GET with status 200."""
    connection = http.client.HTTPConnection(_ALL_ADDRESSES.get(address, address), port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def url(address: str, port: int) -> str:
    """Where this machine finds what listens there."""
    address = _ALL_ADDRESSES.get(address, address)
    return f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}"
