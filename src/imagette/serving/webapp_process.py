"""The web page as a process of its own, which speaks to the API over HTTP only.

What runs in that process is `imagette.webapp.server`.
"""

import importlib.util
import json
import os
import subprocess
import sys
import time
from threading import Event, Lock

from imagette.errors import ImagetteError
from imagette.local_network import addresses_for_others, can_be_reached, host_names
from imagette.serving.certificate import own_certificate
from imagette.serving.memory import page_upload_bytes
from imagette.serving.phones import tell_phones
from imagette.serving.ports import accepts, check_ports, is_up, resolve, url
from imagette.terminal import tell

_PROGRAM = "imagette.webapp.server"

# From the start of its process to its first answer; some 3 s on two cores.
_SECONDS_TO_START = 120

# Before one that has stopped is started again: twice as long each time, until one has run so long.
_FIRST_PAUSE, _LONGEST_PAUSE = 1, 60

# How glibc gives memory back to the system: blocks as large as pictures at once, and no more than
# two arenas that keep what is smaller. By itself it would soon keep blocks of up to 32 MB.
_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(2**20), "MALLOC_ARENA_MAX": "2"}

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
        https_port: port to speak HTTPS on too, with a certificate made here; 0 for none.
        title: what the page is called.

    Attributes:
        url: where this machine finds the page.

    Raises:
        ImagetteError: what the page needs is not installed, or there is no place for a certificate.
    """

    def __init__(
        self,
        address: str,
        port: int,
        api_url: str,
        max_upload_bytes: int,
        api_key: str = "",
        base_path: str = "",
        https_port: int = 0,
        title: str = "Imagette",
    ) -> None:
        for package in ("streamlit", "requests", "psutil", "segno"):
            if importlib.util.find_spec(package) is None:
                raise ImagetteError(
                    f"The web page needs the package {package}, which is not installed.",
                    "Install it with `pip install 'imagette[webapp]'`, or serve without the page.",
                )
        self.address = address
        self.port = port
        self.base_path = base_path
        self.https_port = https_port
        self.url = url(address, port) + base_path
        self._health = f"{base_path}/_stcore/health"
        self._options = json.dumps(
            {
                "address": address,
                "port": port,
                "base_path": base_path,
                "max_upload_bytes": max_upload_bytes,
                "upload_memory": page_upload_bytes(),
                "https_port": https_port,
                "certificate": _certificate(address) if https_port else "",
            }
        )
        self._environment = (
            _MEMORY
            | os.environ
            | {"IMAGETTE_API_URL": api_url, "IMAGETTE_API_KEY": api_key, "IMAGETTE_TITLE": title}
        )
        self._process: subprocess.Popen | None = None
        self._started = 0.0
        self._ends = False
        self._lock = Lock()  # none is started while the last one is being stopped

    def start(self) -> None:
        """Start the process; it answers some seconds later."""
        if unused := [name for name in _OTHER_PLACES if os.environ.get(name)]:
            tell(
                f"Not used: {', '.join(unused)}. Say where the page is with --base-path, --host"
                " and the option for its port; HTTPS comes from --https or a proxy in front."
            )
        self._start()

    def _start(self) -> None:
        with self._lock:
            if self._ends:
                return
            self._started = time.monotonic()
            self._process = subprocess.Popen(
                # -P: a `random.py` in the folder where the command is run must not be imported.
                [sys.executable, "-P", "-m", _PROGRAM, self._options],
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
        if is_up(self.address, self.port, self._health) and (
            not self.https_port or accepts(self.address, self.https_port)
        ):
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

    def keep_running(self, ends: Event) -> None:
        """Start the process again whenever it stops, and say so, until `ends` is set.

        The pause before that grows, so that one which stops at once does not keep the machine busy.
        """
        pause = _FIRST_PAUSE
        while not ends.wait(0.2):
            if self._ends or not self.has_stopped():
                continue
            if time.monotonic() - self._started > _LONGEST_PAUSE:
                pause = _FIRST_PAUSE
            tell(
                f"The web page stopped by itself ({self._reason()}). It is started again in"
                f" {pause} s."
            )
            if not ends.wait(pause):
                self._start()
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _reason(self) -> str:
        assert self._process is not None
        status = self._process.returncode
        return f"signal {-status}" if status < 0 else f"exit status {status}"

    def terminate(self) -> None:
        """Tell the process to stop for good, without waiting for it, as a signal handler may."""
        self._ends = True
        if self._process is not None:
            self._process.terminate()

    def stop(self) -> None:
        """Stop the process for good, kindly at first, if it runs."""
        with self._lock:
            self._ends = True
            if self._process is None:
                return
            self._process.terminate()
            try:
                self._process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


def _certificate(address: str) -> str:
    """The path of a certificate for all names and addresses at which the page is found.

    Raises:
        ImagetteError: nobody but this machine finds it, or there is no place for a certificate.
    """
    if not can_be_reached(address):
        raise ImagetteError(
            "With --https phones may use their camera, but only this computer reaches the page.",
            "Add --host 0.0.0.0 to let phones in, or leave --https out: here the camera works.",
        )
    here = ["localhost", "127.0.0.1", "::1"]
    return str(own_certificate([*here, *host_names(), *addresses_for_others(address)]))


def serve_webapp(
    api_url: str,
    host: str,
    port: int,
    max_upload_bytes: int,
    api_key: str = "",
    base_path: str = "",
    https_port: int = 0,
    title: str = "Imagette",
) -> None:
    """Serve the page alone, beside an API that runs elsewhere, until Ctrl-C.

    Once it answers, its address is printed; from then on it is started again whenever it stops.
    When this returns or raises, its process has stopped.

    Args:
        api_url: where the page finds the API.
        host: address to listen on; `0.0.0.0` lets other machines in.
        port: port to listen on.
        max_upload_bytes: the largest file that the API accepts.
        api_key: the page's key to the API; empty where that asks for none.
        base_path: below which the page is, such as `/imagette`; at the top if empty.
        https_port: port to speak HTTPS on too, with a certificate made here; 0 for none.
        title: what the page is called.

    Raises:
        ImagetteError: the address cannot be listened on, the page is not installed, it does not
            answer, or it stopped before it did.
    """
    address = resolve(host)
    check_ports(address, {"--port": port, "--https-port": https_port or None})
    webapp = WebappProcess(
        address, port, api_url, max_upload_bytes, api_key, base_path, https_port, title
    )
    try:
        webapp.start()
        while not webapp.has_stopped():
            if webapp.is_ready():
                tell(f"The page is ready: {webapp.url}", sys.stdout)
                tell_phones(webapp)
                webapp.keep_running(Event())
            time.sleep(0.1)
    except KeyboardInterrupt:
        return
    finally:
        webapp.stop()
    raise ImagetteError(
        "The web page stopped before it was ready.", "The messages above say why; start it again."
    )
