"""Servers as processes of their own, and requests for them."""

import http.client
import io
import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil
from PIL import Image

RESULTS = Path(__file__).parents[1] / "results" / "load"

EVERYTHING_ON = {
    "IMAGETTE_API_KEYS": "a-key-that-nobody-knows,another-one",
    "IMAGETTE_REQUESTS_PER_MINUTE": "100000000",
    "IMAGETTE_CORS_ORIGINS": "https://example.org",
    "IMAGETTE_TRUSTED_PROXIES": "1",
    "IMAGETTE_LOG_REQUESTS": "true",
}
"""Everything that Imagette can do for each request. Metrics are always on; the log is a file."""

HEADERS = {
    "Authorization": "Bearer a-key-that-nobody-knows",
    "Origin": "https://example.org",
    "X-Forwarded-For": "203.0.113.7",
}
"""What a request then needs, and what makes the server look at the rest."""

# wrk's own summary is rounded for reading; this gives the numbers.
_WRK_SCRIPT = """
local file = io.open(os.getenv("WRK_BODY"), "rb")
wrk.method = "POST"
wrk.body = file:read("*a")
function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\\n{"requests": %d, "seconds": %f, "p50_ms": %f, "p99_ms": %f, "errors": %d}\\n',
    summary.requests, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.status + errors.connect + errors.read + errors.write + errors.timeout))
end
"""


@dataclass(frozen=True)
class Post:
    """A request, ready to send."""

    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def raw(cls, picture: bytes, kind: str = "png") -> "Post":
        """A picture as the whole body."""
        return cls(picture, HEADERS | {"Content-Type": f"image/{kind}"})

    @classmethod
    def form(cls, picture: bytes) -> "Post":
        """A picture as the field `image` of a form."""
        head = 'Content-Disposition: form-data; name="image"; filename="picture.png"'
        body = f"--limit\r\n{head}\r\nContent-Type: image/png\r\n\r\n".encode()
        body += picture + b"\r\n--limit--\r\n"
        return cls(body, HEADERS | {"Content-Type": "multipart/form-data; boundary=limit"})


def small_picture(side: int = 32) -> bytes:
    """A square PNG or, beyond thumbnails, a JPEG, as photographs are."""
    file = io.BytesIO()
    kind = "PNG" if side <= 64 else "JPEG"
    Image.effect_noise((side, side), 60).convert("RGB").save(file, format=kind)
    return file.getvalue()


def imagette(port: int) -> list[str]:
    """The command that serves; what it serves comes from the environment."""
    return [sys.executable, "-m", "imagette", "serve", "--port", str(port)]


def imagette_environment(model: Path, workers: int) -> dict[str, str]:
    """Everything switched on."""
    return EVERYTHING_ON | {"IMAGETTE_MODEL": str(model), "IMAGETTE_WORKERS": str(workers)}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def stop_at_signals() -> None:
    """End the script in good order, its servers too, when it is told to or its terminal closes."""
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda *_: sys.exit("Stopped."))


@contextmanager
def running(
    command: list[str],
    url: str,
    post: Post,
    log: Path,
    environment: dict[str, str],
    cwd: Path = Path(),
) -> Iterator[psutil.Process]:
    """Run a server until the block ends, from when it answers `post` at `url`.

    What it prints goes into the file `log`, whose end is shown if the server does not come up.
    """
    with log.open("wb") as output:
        process = psutil.Popen(
            command,
            env=os.environ | environment,
            cwd=cwd,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for this script, which then stops the server
        )
    try:
        _wait_until_answers(process, url, post, log)
        yield process
    finally:
        _stop(process)


def _wait_until_answers(process: psutil.Popen, url: str, post: Post, log: Path) -> None:
    request = urllib.request.Request(url, post.body, dict(post.headers))
    for _ in range(600):
        try:
            urllib.request.urlopen(request, timeout=30).close()
            return
        except urllib.error.HTTPError as error:
            sys.exit(f"{url} answered {error.code}: {error.read(2000).decode(errors='replace')}")
        except OSError:
            if process.poll() is not None:
                break
            time.sleep(0.1)
    end = log.read_text(errors="replace")[-2000:]
    sys.exit(f"The server does not come up: {' '.join(map(str, process.args))}\n{end}")


def _stop(process: psutil.Popen) -> None:
    """End a server and everything that it has started."""
    family = [process, *descendants(process)]
    with suppress(psutil.NoSuchProcess):
        process.terminate()
    _, left = psutil.wait_procs(family, timeout=15)
    for one in left:
        with suppress(psutil.NoSuchProcess):
            one.kill()
    psutil.wait_procs(left, timeout=5)


def descendants(process: psutil.Process) -> list[psutil.Process]:
    """Every process below this one."""
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def workers(server: psutil.Process) -> list[psutil.Process]:
    """The processes of a running Imagette that answer."""
    return server.children()


def accepted(worker: psutil.Process, port: int) -> set[int]:
    """The connections that a worker serves, by the port at the client's end."""
    try:
        connections = worker.net_connections("tcp4")
    except psutil.NoSuchProcess:
        return set()
    return {one.raddr.port for one in connections if one.raddr and one.laddr.port == port}


def client_port(connection: http.client.HTTPConnection) -> int:
    return connection.sock.getsockname()[1]


def require_wrk() -> None:
    if shutil.which("wrk") is None:
        sys.exit("wrk is not installed (`apt-get install wrk`, `brew install wrk`).")


def wrk(url: str, post: Post, connections: int, seconds: int, folder: Path) -> dict[str, float]:
    """What wrk measures in some seconds.

    Returns:
        `requests` that were answered, `requests_per_second`, `p50_ms`, `p99_ms` and `errors`:
        answers with an error's status, and failures of connections.
    """
    script, body = folder / "post.lua", folder / "body"
    script.write_text(_WRK_SCRIPT)
    body.write_bytes(post.body)
    headers = [f"-H{name}: {value}" for name, value in post.headers.items()]
    output = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", script, *headers, url],
        env=os.environ | {"WRK_BODY": str(body)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    measured = json.loads(output.strip().splitlines()[-1])
    speed = measured["requests"] / measured.pop("seconds")
    return {"requests": measured.pop("requests"), "requests_per_second": speed} | measured


def machine() -> dict[str, object]:
    """What the figures depend on; `load` says how busy the machine was before they were taken."""
    packages = ("flask", "granian", "imagette", "numpy", "onnxruntime", "pillow", "werkzeug")
    return {
        "system": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "load": [round(value, 2) for value in psutil.getloadavg()],
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": [f"experiments/{Path(sys.argv[0]).name}", *sys.argv[1:]],
        "versions": {"python": platform.python_version()}
        | {package: version(package) for package in packages},
    }


def _processor() -> str:
    """The processor's name; Linux tells it in a file of its own."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def say(text: str) -> None:
    """Tell how it goes, apart from the results."""
    print(text, file=sys.stderr, flush=True)
