"""The page as a program: Streamlit's application on Uvicorn, until a signal comes or who started it
is gone.

    python -m imagette.webapp.server '{"address": "127.0.0.1", "port": 8501, …}'

How Streamlit looks and behaves is said in `.streamlit/config.toml`, where it looks for that.
"""

import asyncio
import gc
import importlib
import json
import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from types import FrameType
from typing import Any

import streamlit.net_util
import uvicorn
from starlette.middleware import Middleware
from streamlit.starlette import App
from streamlit.web.bootstrap import load_config_options

from imagette.webapp.headers import SecurityHeaders
from imagette.webapp.qr_page import QrPage
from imagette.webapp.uploads import UploadLimits

# A browser sends little over its WebSocket: clicks, words, and what the open camera sees.
_LARGEST_MESSAGE = 4 * 2**20  # bytes

# Of larger files Streamlit would say something itself, in English; uploads.js leaves out, before it
# comes to that, what the API would refuse.
_LARGEST_SENT = 1024  # MiB


def run(
    address: str,
    port: int,
    base_path: str,
    max_upload_bytes: int,
    upload_memory: int,
    https_port: int,
    certificate: str,
) -> None:
    """Serve the page.

    Args:
        address: IP address to listen on.
        port: port to listen on.
        base_path: below which the page is, such as `/imagette`; at the top if empty.
        max_upload_bytes: the largest file that the API accepts.
        upload_memory: bytes that files of all visitors together may take.
        https_port: port to speak HTTPS on too; 0 for none.
        certificate: path of the certificate for that, with its private key.
    """
    _load_tabs()
    # Streamlit would ask a machine elsewhere for this one's public address.
    streamlit.net_util.get_external_ip = lambda: None
    app = App(
        Path(__file__).with_name("app.py"),
        routes=[QrPage(address, port, https_port, base_path).route()],
        middleware=[
            Middleware(SecurityHeaders),
            Middleware(UploadLimits, largest=max_upload_bytes, memory=upload_memory),
        ],
    )
    # These win over the environment and the files config.toml of whoever runs this.
    load_config_options(
        {
            "server.address": address,
            "server.port": port,
            "server.baseUrlPath": base_path,
            "server.sslCertFile": "",
            "server.sslKeyFile": "",
            "global.developmentMode": False,
            "server.maxUploadSize": max(_LARGEST_SENT, 2 * max_upload_bytes // 2**20),
            "server.headless": True,
            "browser.gatherUsageStats": False,
        }
    )
    # After each run of the page's script, as after each image of an open camera, Streamlit has
    # Python look through all there is for garbage: not through what stays for good.
    gc.collect()
    gc.freeze()
    plain = _configure(app, address, port)
    if https_port:
        # The application begins and ends with the other server.
        options: dict[str, Any] = {"ssl_certfile": certificate, "lifespan": "off"}
        _serve_both(plain, _configure(app, address, https_port, **options))
    else:
        uvicorn.Server(plain).run()


def _load_tabs() -> None:
    """Load what each visit's script needs, once.

    Streamlit would warn, in the terminal, of caches that are made before it runs.
    """
    logging.getLogger("streamlit.runtime.caching.cache_data_api").setLevel(logging.ERROR)
    for name in ("dataset", "model", "predict", "teach"):
        importlib.import_module(f"imagette.webapp.tabs.{name}")


def _configure(app: App, address: str, port: int, **options: Any) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=address,
        port=port,
        log_level="warning",
        access_log=False,
        # It would believe any proxy of this machine about who looks; visitor.py believes those that
        # IMAGETTE_TRUSTED_PROXIES counts.
        proxy_headers=False,
        server_header=False,
        ws_max_size=_LARGEST_MESSAGE,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=3,
        **options,
    )


class _Beside(uvicorn.Server):
    """A server that another one stops, and no signal."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Leading(uvicorn.Server):
    """A server that stops another one together with itself."""

    def __init__(self, config: uvicorn.Config, other: uvicorn.Server) -> None:
        super().__init__(config)
        self._other = other

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._other.should_exit = True
        super().handle_exit(sig, frame)


def _serve_both(plain: uvicorn.Config, secure: uvicorn.Config) -> None:
    """Serve one application over HTTP and HTTPS until a signal comes."""
    beside = _Beside(secure)
    leading = _Leading(plain, beside)

    async def serve() -> None:
        async def follow() -> None:
            while not leading.started and not beside.should_exit:
                await asyncio.sleep(0.05)
            if not beside.should_exit:
                await beside.serve()

        await asyncio.gather(leading.serve(), follow())

    with asyncio.Runner(loop_factory=plain.get_loop_factory()) as runner:
        runner.run(serve())


def _stop_with_parent() -> None:
    os.read(0, 1)  # returns when standard input closes, even if the parent was killed
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    Thread(target=_stop_with_parent, daemon=True).start()
    run(**json.loads(sys.argv[1]))
