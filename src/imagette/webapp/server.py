"""The page as a program: Streamlit's application on Uvicorn, until a signal comes or who started it
is gone.

    python -m imagette.webapp.server '{"address": "127.0.0.1", "port": 8501, …}'

How Streamlit looks and behaves is said in `.streamlit/config.toml`, where it looks for that.
"""

import json
import os
import signal
import sys
from pathlib import Path
from threading import Thread

import streamlit.net_util
import uvicorn
from starlette.middleware import Middleware
from streamlit.starlette import App
from streamlit.web.bootstrap import load_config_options

from imagette.webapp.headers import SecurityHeaders
from imagette.webapp.uploads import UploadLimits

# A browser sends little over its WebSocket: clicks, words, and what the open camera sees.
_LARGEST_MESSAGE = 4 * 2**20  # bytes

# Of larger files Streamlit would say something itself, in English; uploads.js leaves out, before it
# comes to that, what the API would refuse.
_LARGEST_SENT = 1024  # MiB


def run(address: str, port: int, base_path: str, max_upload_bytes: int) -> None:
    """Serve the page.

    Args:
        address: IP address to listen on.
        port: port to listen on.
        base_path: below which the page is, such as `/imagette`; at the top if empty.
        max_upload_bytes: the largest file that the API accepts.
    """
    # Streamlit would ask a machine elsewhere for this one's public address.
    streamlit.net_util.get_external_ip = lambda: None
    app = App(
        Path(__file__).with_name("app.py"),
        middleware=[
            Middleware(SecurityHeaders),
            Middleware(UploadLimits, largest=max_upload_bytes),
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
    uvicorn.run(
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
    )


def _stop_with_parent() -> None:
    os.read(0, 1)  # returns when standard input closes, even if the parent was killed
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    Thread(target=_stop_with_parent, daemon=True).start()
    run(**json.loads(sys.argv[1]))
