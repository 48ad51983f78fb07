"""Addresses to listen on."""

import errno
import http.client
import os
import socket
from contextlib import suppress

from imagette.errors import ImagetteError

_ALL_ADDRESSES = {"0.0.0.0": "127.0.0.1", "::": "::1"}

_PORTS_OF_AIRPLAY = (5000, 7000)


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


def check_ports(address: str, wanted: dict[str, int | None]) -> None:
    """See that ports of an IP address are different ones, and can be listened on.

    Args:
        address: IP address.
        wanted: each port, by the option that another one is chosen with on the command line; None
            where there is none.

    Raises:
        ImagetteError: they are not, or one cannot be.
    """
    chosen: dict[int, str] = {}
    for option, port in wanted.items():
        if port is None:
            continue
        if port in chosen:
            raise ImagetteError(
                f"Two servers cannot both have the port {port}.",
                f"Choose another one with {chosen[port]} or {option}.",
            )
        chosen[port] = option
    for port, option in chosen.items():
        check_free(address, port, option)


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
            raise _in_use(port, option) from error
        if error.errno == errno.EACCES:
            raise ImagetteError(
                f"You may not listen on the port {port}: those below 1024 are reserved.", another
            ) from error
        raise ImagetteError(
            f"{address} is not an address of this machine.",
            "Give 127.0.0.1 for this machine alone, or 0.0.0.0 to let other machines in.",
        ) from error
    # Only Linux keeps a program that listens on one address from a port that another one listens on
    # at all addresses; then who asks for `localhost` may get the one or the other.
    if accepts(address, port):
        raise _in_use(port, option)


def _in_use(port: int, option: str) -> ImagetteError:
    airplay = " (on a Mac, AirPlay Receiver has it)" if port in _PORTS_OF_AIRPLAY else ""
    return ImagetteError(
        f"The port {port} is in use by another program{airplay}.",
        f"Stop that program, or choose another port with {option}.",
    )


def accepts(address: str, port: int) -> bool:
    """Whether something listens on a port of an address of this machine."""
    with suppress(OSError), socket.create_connection((_reached(address), port), timeout=0.3):
        return True
    return False


def is_up(address: str, port: int, path: str) -> bool:
    """Whether what listens there answers a GET with status 200."""
    connection = http.client.HTTPConnection(_reached(address), port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def url(address: str, port: int, scheme: str = "http") -> str:
    """Where this machine finds what listens there."""
    address = _reached(address)
    host = f"[{address}]" if ":" in address else address
    return f"{scheme}://{host}:{port}"


def _reached(address: str) -> str:
    """The address at which this machine reaches what listens on one."""
    return _ALL_ADDRESSES.get(address, address)
