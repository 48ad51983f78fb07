"""A web server of a few files, and of the ways in which servers are slow, large and misleading."""

import contextlib
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PAGE = b"<!doctype html><title>A page</title>"


class _Handler(BaseHTTPRequestHandler):
    server: "WebFiles"
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path, _, query = self.path.partition("?")
        self.server.asked.append(self.path)
        name = path.removeprefix("/")
        with contextlib.suppress(OSError):  # whoever asked gives up
            if name.startswith("to/"):  # and then where
                self.answer(302, b"", Location=query or f"../{name.removeprefix('to/')}")
            elif name == "loop":
                self.answer(302, b"", Location="/loop")
            elif name == "forbidden":
                self.answer(403, b"no")
            elif name == "page":
                self.answer(200, PAGE, **{"Content-Type": "image/png"})
            elif name == "broken":
                self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nshort")
                self.close_connection = True
            elif name == "no-http":
                self.wfile.write(b"hello\r\n\r\n")
                self.close_connection = True
            elif name in ("slow-head", "slow-body"):
                self.drip(name)
            elif name == "endless":
                self.wfile.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
                self.close_connection = True
                while True:
                    self.wfile.write(bytes(65536))
            elif name == "chunked":
                self.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                content = self.server.files["cat.png"]
                for part in (content[:50], content[50:]):
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
                self.wfile.write(b"0\r\n\r\n")
            elif name in self.server.files:
                self.answer(200, self.server.files[name], **{"Content-Type": "text/html"})
            else:
                self.answer(404, PAGE)

    def answer(self, status, body, **headers):
        self.send_response(status)
        for header in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(*header)
        self.end_headers()
        self.wfile.write(body)

    def drip(self, name):
        self.close_connection = True
        if name == "slow-body":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n")
        else:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
        while not self.server.ending.wait(0.05):
            self.wfile.write(b"x")

    def log_message(self, *_):
        """Nothing."""


class WebFiles(ThreadingHTTPServer):
    """A server of this machine.

    Args:
        files: by name.
        certificate: and its key, in files, where it is one of HTTPS.
    """

    daemon_threads = True

    def __init__(self, files: dict[str, bytes], certificate: tuple[Path, Path] | None = None):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = files
        self.asked: list[str] = []
        self.ending = threading.Event()
        scheme = "http"
        if certificate is not None:
            scheme = "https"
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True)
        self.address = f"{scheme}://localhost:{self.server_port}"

    def handle_error(self, *_):
        """Nothing: whoever asks may break off."""


@contextlib.contextmanager
def web_files(files: dict[str, bytes], certificate=None) -> Iterator[WebFiles]:
    """The server, while it runs."""
    with WebFiles(files, certificate) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.05], daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.ending.set()
            server.shutdown()
