"""`/metrics` on a port of its own, which no proxy passes on and which asks for no key.

The process that starts the workers answers there, so that it does even while they do not.
"""

import logging
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer
from threading import Thread

from imagette.serving.metrics_text import CONTENT_TYPE, render_folder


@contextmanager
def metrics_server(address: str, port: int, folder: Path) -> Iterator[None]:
    """Answer `GET /metrics` while it lasts.

    Args:
        address: IP address to listen on.
        port: port to listen on; nothing is done if 0.
        folder: into which the workers count, as `PROMETHEUS_MULTIPROC_DIR` names it.

    Raises:
        OSError: it cannot be listened on.
    """
    if not port:
        yield
        return
    server = _Server((address, port), _handler(folder))
    # A worker is forked with it, and would keep the port for as long as it lives.
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=server.socket.close)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    def __init__(self, where: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self.address_family = socket.AF_INET6 if ":" in where[0] else socket.AF_INET
        super().__init__(where, handler)

    def server_bind(self) -> None:
        """Listen, without asking for the machine's name, which can take seconds."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def handle_error(self, *_: object) -> None:
        """Log what went wrong, unless it was the client's connection."""
        if not isinstance(sys.exception(), OSError):
            logging.getLogger("imagette").exception("The metrics could not be told")


def _handler(folder: Path) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 10  # seconds for a request to come and for each write: nobody holds a thread

        def version_string(self) -> str:
            return "imagette"

        def do_GET(self) -> None:
            if self.path.partition("?")[0] == "/metrics":
                self._answer(200, CONTENT_TYPE, render_folder(folder))
            else:
                self._answer(404, "text/plain; charset=utf-8", b"There is /metrics here alone.\n")

        def _answer(self, status: int, content_type: str, content: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("X-Content-Type-Options", "nosniff")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing: it is asked every few seconds."""

    return Handler
