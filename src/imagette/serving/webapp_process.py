"""The web page as a process of its own: Streamlit, which speaks to the API over HTTP only.

`WebappProcess` is the parent's half; run as a program, this module is the child's. How Streamlit
looks and behaves is said in `webapp/.streamlit/config.toml`, where it looks for that.
"""

import importlib.util
import os
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread

from imagette.errors import ImagetteError
from imagette.serving.ports import check_free, is_up, resolve, url

_SCRIPT = Path(__file__).parents[1] / "webapp" / "app.py"

# From the start of its process to its first answer; some 3 s on two cores.
_SECONDS_TO_START = 120

# Variables that say where Streamlit has its page; here, options of the command do.
_OTHER_PLACES = (
    "STREAMLIT_SERVER_ADDRESS", "STREAMLIT_SERVER_PORT", "STREAMLIT_SERVER_BASE_URL_PATH",
    "STREAMLIT_SERVER_SSL_CERT_FILE", "STREAMLIT_SERVER_SSL_KEY_FILE",
    "STREAMLIT_GLOBAL_DEVELOPMENT_MODE",
)  # fmt: skip


class WebappProcess:
    """The process that serves the page.

    Args:
        address: IP address to listen on.
        port: port to listen on.
        api_url: where the page finds the API.
        max_upload_bytes: the largest file that the API accepts.
        api_key: the page's key to the API; empty where that asks for none.
        base_path: below which the page is, such as `/imagette`; at the top if empty.

    Attributes:
        url: where this machine finds the page.

    Raises:
        ImagetteError: what the page needs is not installed.
    """

    def __init__(
        self,
        address: str,
        port: int,
        api_url: str,
        max_upload_bytes: int,
        api_key: str = "",
        base_path: str = "",
    ) -> None:
        for package in ("streamlit", "requests"):
            if importlib.util.find_spec(package) is None:
                raise ImagetteError(
                    f"The web page needs the package {package}, which is not installed.",
                    "Install it with `pip install 'imagette[webapp]'`, or serve without the page.",
                )
        self.address = address
        self.port = port
        self.url = url(address, port) + base_path
        self._health = f"{base_path}/_stcore/health"
        # As flags, these win over the environment and the files config.toml of whoever runs this.
        self._options = {
            "server.address": address,
            "server.port": port,
            "server.baseUrlPath": base_path,
            "server.sslCertFile": "",
            "server.sslKeyFile": "",
            "global.developmentMode": "false",
            # In MiB, and more than the API accepts: it says in the reader's language that a file
            # is too large, which Streamlit does not.
            "server.maxUploadSize": 4 * max_upload_bytes // 2**20 + 1,
            "server.headless": "true",
            "browser.gatherUsageStats": "false",
        }
        self._environment = os.environ | {"IMAGETTE_API_URL": api_url, "IMAGETTE_API_KEY": api_key}
        self._process: subprocess.Popen | None = None
        self._started = 0.0

    def start(self) -> None:
        """Start the process; it answers some seconds later."""
        if unused := [name for name in _OTHER_PLACES if os.environ.get(name)]:
            print(
                f"Not used: {', '.join(unused)}. Say where the page is with --base-path, --host"
                " and the option for its port; HTTPS is left to a proxy in front.",
                file=sys.stderr,
                flush=True,
            )
        options = [f"--{name}={value}" for name, value in self._options.items()]
        self._started = time.monotonic()
        self._process = subprocess.Popen(
            # -P: a `random.py` in the folder where the command is run must not be imported.
            [sys.executable, "-P", "-m", __name__, *options],
            env=self._environment,
            stdin=subprocess.PIPE,  # never written to; it closes when this process is gone
            stdout=subprocess.DEVNULL,  # Streamlit's small talk; its errors go to stderr
            start_new_session=True,  # Ctrl-C reaches the parent alone, which stops the page
        )

    def is_ready(self) -> bool:
        """Whether the page answers; if not, it may still be starting.

        Raises:
            ImagetteError: it does not, and has had the time to start.
        """
        if is_up(self.address, self.port, self._health):
            return True
        if time.monotonic() - self._started < _SECONDS_TO_START:
            return False
        raise ImagetteError(
            f"The web page was started {_SECONDS_TO_START} seconds ago and does not answer at"
            f" {self.url}.",
            "The messages above may say why. If not, look for settings of Streamlit in the"
            " environment (STREAMLIT_…) and in .streamlit/config.toml, take them out, and start it"
            " again.",
        )

    def has_stopped(self) -> bool:
        """Whether the process was started and runs no more."""
        return self._process is not None and self._process.poll() is not None

    def wait(self) -> None:
        """Wait until the process has stopped."""
        if self._process is not None:
            self._process.wait()

    def terminate(self) -> None:
        """Tell the process to stop, without waiting for it."""
        if self._process is not None:
            self._process.terminate()

    def stop(self) -> None:
        """Stop the process, kindly at first, if it runs."""
        if self._process is None:
            return
        self.terminate()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def serve_webapp(
    api_url: str,
    host: str,
    port: int,
    max_upload_bytes: int,
    api_key: str = "",
    base_path: str = "",
) -> None:
    """Serve the page alone, beside an API that runs elsewhere, until Ctrl-C.

    Once it answers, its address is printed. When this returns or raises, its process has stopped.

    Args:
        api_url: where the page finds the API.
        host: address to listen on; `0.0.0.0` lets other machines in.
        port: port to listen on.
        max_upload_bytes: the largest file that the API accepts.
        api_key: the page's key to the API; empty where that asks for none.
        base_path: below which the page is, such as `/imagette`; at the top if empty.

    Raises:
        ImagetteError: the address cannot be listened on, the page is not installed, it does not
            answer, or it stopped by itself.
    """
    address = resolve(host)
    check_free(address, port, "--port")
    webapp = WebappProcess(address, port, api_url, max_upload_bytes, api_key, base_path)
    try:
        webapp.start()
        while not (webapp.has_stopped() or webapp.is_ready()):
            time.sleep(0.1)
        if not webapp.has_stopped():
            print(f"The page is ready: {webapp.url}", flush=True)
        webapp.wait()
    except KeyboardInterrupt:
        return
    finally:
        webapp.stop()
    raise ImagetteError(
        "The web page stopped by itself.", "The messages above say why; start it again."
    )


def _main() -> None:
    """Run Streamlit in this process until a signal comes or the parent is gone."""
    import streamlit.net_util

    Thread(target=_stop_with_parent, daemon=True).start()
    # Streamlit would ask a machine elsewhere for this one's public address.
    streamlit.net_util.get_external_ip = lambda: None
    sys.argv = ["streamlit", "run", str(_SCRIPT), *sys.argv[1:]]
    runpy.run_module("streamlit", run_name="__main__")


def _stop_with_parent() -> None:
    os.read(0, 1)  # returns when standard input closes, even if the parent was killed
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    _main()
