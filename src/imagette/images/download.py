"""A file from a web address: within limits, and from nowhere that only this machine can reach."""

import http.client
import ipaddress
import socket
import ssl
from contextlib import closing, suppress
from threading import Timer
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from imagette import __version__
from imagette.errors import ImageError
from imagette.images.signatures import (
    first_bytes,
    is_address,
    is_image,
    is_web_page,
    video_kind,
)

MAX_BYTES = 50_000_000
"""A larger file is refused."""
SECONDS = 30.0
"""What takes longer, from the first connection to the last byte, is given up."""
MAX_REDIRECTS = 5
_SILENT_SECONDS = 10.0
"""How long a server may take to be reached, or say nothing."""

_REDIRECTS = frozenset([301, 302, 303, 307, 308])
_HEADERS = {
    "User-Agent": f"imagette/{__version__}",
    "Accept": "image/*, video/*;q=0.9, */*;q=0.5",
    "Accept-Encoding": "identity",
}
# Addresses of IPv6 that lead to one of IPv4, in their last 32 bits.
_IPV4_INSIDE = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("::/96"))


def download(address: str, allow_private: bool = False) -> bytes:
    """Fetch what is at an address.

    Nothing is sent but the request. Proxies are not asked, because nobody could check where they
    connect to.

    Args:
        address: `http://…` or `https://…`; redirects are followed.
        allow_private: whether it may lead to this machine, or into a private network.

    Returns:
        The bytes of the file, at most `MAX_BYTES`.

    Raises:
        ImageError: it cannot be fetched, or is a web page.
    """
    limit = _TimeLimit(SECONDS)
    try:
        return _follow(address, allow_private, limit)
    except ssl.SSLCertVerificationError as error:
        raise _failed(
            address,
            f"the certificate of its server is not to be trusted ({error.verify_message})",
            "Check the address; to trust an authority of your own, name its certificate in the"
            " environment variable SSL_CERT_FILE.",
        ) from error
    except socket.gaierror as error:
        raise _failed(
            address,
            "the name of its server is not known",
            "Check the address and your connection.",
        ) from error
    except (OSError, http.client.HTTPException) as error:
        if limit.passed:
            why = f"it takes longer than {SECONDS:.0f} seconds"
        elif isinstance(error, TimeoutError):
            why = f"its server said nothing for {_SILENT_SECONDS:.0f} seconds"
        elif isinstance(error, ssl.SSLError):
            why = f"no secure connection could be made ({error.reason or error})"
        elif isinstance(error, ConnectionRefusedError):
            why = "nothing answers there"
        elif isinstance(error, OSError):
            why = f"the connection failed ({error.strerror or error})"
        else:
            why = "its server breaks off, or answers with what is no HTTP"
        raise _failed(address, why) from error
    finally:
        limit.end()


def _follow(address: str, allow_private: bool, limit: "_TimeLimit") -> bytes:
    here = address
    for _ in range(MAX_REDIRECTS + 1):
        parts, host, port = _split(here, address)
        kind = _SecureConnection if parts.scheme == "https" else _Connection
        with closing(kind(host, port)) as connection:
            connection.sock = _connect(host, port, here, allow_private, limit)
            connection.secure(limit)
            path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~")
            query = parts.query and "?" + quote(parts.query, safe="/?%:@!$&'()*+,;=~[]")
            connection.request("GET", path + query, headers=_HEADERS)
            response = connection.getresponse()
            limit.check()
            if response.status in _REDIRECTS and (to := response.getheader("Location")):
                here = urljoin(here, to)
                continue
            _check_status(response, address)
            content = _read(response, address)
            limit.check()  # what was shut looks as if it had come to its end
            return content
    raise _failed(address, f"it leads on more than {MAX_REDIRECTS} times")


def _split(here: str, address: str) -> tuple[SplitResult, str, int]:
    """An address in its parts, with the host as the network knows it, and the port."""
    if not is_address(here):
        raise _failed(address, f"it leads on to {here}, which is no address of the web")
    try:
        parts = urlsplit(here)
        host = parts.hostname or ""
        host = host if host.isascii() else host.encode("idna").decode()
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:  # as UnicodeError is, of names that cannot be
        host = ""
    if not host:
        raise _failed(address, "it names no server", "Check how it is spelled.")
    if "@" in parts.netloc:
        raise _failed(address, "it leads on to an address with a user name or a password")
    return parts, host, port


def _connect(
    host: str, port: int, here: str, allow_private: bool, limit: "_TimeLimit"
) -> socket.socket:
    """Connect to the very address that was checked: a name asked again may lead elsewhere."""
    error: OSError | None = None
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as wrong:  # a part of a name that is too long
        raise _failed(here, "it names no server", "Check how it is spelled.") from wrong
    for family, kind, protocol, _, where in found:
        if not allow_private and not _is_public(str(where[0])):
            raise _failed(
                here,
                f"it leads to {where[0]}, which is this machine or in a private network",
                "Where that is meant, add --allow-private.",
            )
        try:
            sock = socket.socket(family, kind, protocol)
            limit.watch(sock)
            sock.settimeout(_SILENT_SECONDS)
            sock.connect(where)
            return sock
        except OSError as failed:
            sock.close()
            error = failed
    raise error or OSError("its server has no address")


def _is_public(host: str) -> bool:
    """Whether an IP address is one of the internet, and not of a machine or a network alone."""
    ip = ipaddress.ip_address(host)
    if isinstance(ip, ipaddress.IPv6Address):
        inside = ip.ipv4_mapped or ip.sixtofour
        if inside is None and any(ip in network for network in _IPV4_INSIDE):
            inside = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inside is not None:
            ip = inside
    special = ip.is_private or ip.is_loopback or ip.is_link_local or ip.is_multicast
    return ip.is_global and not (special or ip.is_reserved or ip.is_unspecified)


class _Connection(http.client.HTTPConnection):
    """One whose socket is given to it."""

    def connect(self) -> None:
        raise http.client.NotConnected  # it never connects by itself, to where nobody checked

    def secure(self, limit: "_TimeLimit") -> None:
        """Nothing, over plain HTTP."""


class _SecureConnection(_Connection):
    default_port = http.client.HTTPS_PORT

    def secure(self, limit: "_TimeLimit") -> None:
        """Have the server show its certificate, and encrypt from here on."""
        context = ssl.create_default_context()
        secure = context.wrap_socket(
            self.sock, server_hostname=self.host, do_handshake_on_connect=False
        )
        self.sock = secure
        limit.watch(secure)
        secure.do_handshake()


class _TimeLimit:
    """Shuts a connection when the time is over, however slowly something still comes."""

    def __init__(self, seconds: float) -> None:
        self.passed = False
        self._sock: socket.socket | None = None
        self._timer = Timer(seconds, self._pass)
        self._timer.daemon = True
        self._timer.start()

    def watch(self, sock: socket.socket) -> None:
        """This is the connection now."""
        self._sock = sock
        self.check()

    def check(self) -> None:
        """Raise a TimeoutError where the time is over."""
        if self.passed:
            raise TimeoutError

    def end(self) -> None:
        """It was quick enough."""
        self._timer.cancel()
        self._sock = None

    def _pass(self) -> None:
        self.passed = True
        if (sock := self._sock) is not None:
            with suppress(OSError):
                # Not by SSLSocket, which another thread is using just now.
                socket.socket.shutdown(sock, socket.SHUT_RDWR)


def _check_status(response: http.client.HTTPResponse, address: str) -> None:
    if response.status == 200:
        return
    said = f"{response.status} {response.reason}".strip()
    if response.status in (404, 410):
        raise _failed(address, f"there is nothing ({said})", "Check the address.")
    if response.status in (401, 403):
        remedy = "Download the file with your browser, then give its path."
        raise _failed(address, f"its server gives it to some people only ({said})", remedy)
    raise _failed(address, f"its server answers {said}")


def _read(response: http.client.HTTPResponse, address: str) -> bytes:
    """The body, if it may be a picture or a video."""
    expected, parts, size = response.length, [], 0
    while (expected or 0) <= MAX_BYTES and size <= MAX_BYTES and (part := response.read1(65536)):
        parts.append(part)
        size += len(part)
    if max(expected or 0, size) > MAX_BYTES:
        why = f"it is larger than {MAX_BYTES / 1e6:.0f} MB"
        raise _failed(address, why, "Download the file yourself, then give its path.")
    if expected is not None and size < expected:
        raise http.client.IncompleteRead(b"", expected - size)
    content = b"".join(parts)
    head, is_text = first_bytes(content), response.headers.get_content_type() == "text/html"
    if is_web_page(head) or (is_text and not is_image(head) and not video_kind(head)):
        why = "it is a web page, not a picture"
        raise _failed(
            address, why, "In a browser, copy the address of the picture in it, and give that."
        )
    return content


def _failed(address: str, why: str, remedy: str = "Try again later.") -> ImageError:
    return ImageError(f"{address} cannot be fetched: {why}.", remedy)
