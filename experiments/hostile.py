"""Hostile input by the hundred thousand, for the picture decoder and for a running server.

    python experiments/hostile.py [--inputs 100000] [--seed 0] [--port 5200] [--folder hostile]

Needs `pip install imagette[fuzz]`. In turns, in shares of the inputs (see `PARTS`):

- **guided pictures**: bytes that Atheris (libFuzzer) makes of small valid files of every format
  Pillow can write, led by the coverage of Pillow's and Imagette's Python code, to the decoder;
- **made pictures**: files truncated, spliced, with flipped bits or lying headers, polyglots,
  and bombs of pixels, text, frames, runs, scans and tiles, to the decoder;
- **arrays**: shapes, types and values by Hypothesis, to the decoder;
- **guided requests**: bodies that Atheris makes of valid forms and JSON, led by the coverage of
  Werkzeug's and Imagette's code, to the API within the process;
- **requests**: strange but well-formed requests by Hypothesis (pictures, forms, JSON, content
  types, paths, methods, headers, chunks), over HTTP to one server, never restarted;
- **malformed**: bytes that are not quite HTTP, each over a connection of its own;
- **slow clients**: connections that send a byte now and then, or nothing more, while others ask.

The decoder must give a picture or a `ImageError`; the API must answer below 500, JSON or
problem+json that parses; what is not HTTP may be answered with a bare 4xx or a closed connection.
Nothing may take longer than `TIMEOUT` seconds, nor the server's memory, nor that of the process
that decodes the made pictures, grow by more than `GROWTH` from the first tenth to the end.

Prints progress and a table, and ends with 1 if anything failed. Each failure is a file in
FOLDER/failures, which `--replay FILE` runs again. The same seed makes the same inputs, except the
guided ones: those go on from the corpus in FOLDER, so that a second run digs deeper.
"""

import argparse
import contextlib
import faulthandler
import hashlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from threading import Event, Thread

import psutil

TIMEOUT = 20.0
"""Seconds that any answer may take."""

GROWTH = 64_000_000
"""Bytes by which resident memory may grow, a process."""

PARTS = {
    "guided pictures": 0.40,
    "made pictures": 0.25,
    "arrays": 0.02,
    "guided requests": 0.10,
    "requests": 0.20,
    "malformed": 0.028,
    "slow clients": 0.002,
}
"""What share of the inputs each part has."""

MAX_PIXELS = 2_000_000  # so that a decoder's speed is no hang
_TOO_MANY_FAILURES = 20


class FailureError(Exception):
    """Something that must not happen did, on one input."""


class Report:
    """What came of the inputs of one part; kept in a file, which the parent process reads."""

    def __init__(self, folder: Path, part: str, total: int) -> None:
        self.folder, self.part, self.total = folder, part, total
        self.outcomes: Counter[str] = Counter()
        self.slowest, self.slowest_kind = 0.0, ""
        self.failures = 0
        self.memory: list[int] = []
        self._written = 0.0

    def run(self, kind: str, content: bytes, ending: str, check: Callable[[], str]) -> None:
        """Run one check, which gives its outcome; keep the input if it fails or takes too long."""
        start = time.monotonic()
        try:
            outcome = check()
            if time.monotonic() - start > TIMEOUT:
                raise FailureError(f"It took longer than {TIMEOUT:g} s.")
        except Exception:
            outcome = "FAILED"
            self._keep(kind, content, ending, traceback.format_exc())
        seconds = time.monotonic() - start
        if seconds > self.slowest:
            self.slowest, self.slowest_kind = seconds, kind
        self.outcomes[outcome] += 1
        if time.monotonic() - self._written > 1 or self.count == self.total:
            self.write()
        if self.failures >= _TOO_MANY_FAILURES:
            sys.exit("Too many failures; the rest of this part is left out.")

    @property
    def count(self) -> int:
        return self.outcomes.total()

    def note_memory(self, bytes_: int) -> None:
        """Remember how much memory is held after the first tenth, and at last."""
        if self.count >= self.total / 10:
            self.memory = [*self.memory[:1], bytes_]

    def write(self) -> None:
        """Write what is known so far."""
        self._written = time.monotonic()
        values = {k: v for k, v in vars(self).items() if k not in ("folder", "_written")}
        path = self.folder / f"{self.part}.json"
        path.with_suffix(".new").write_text(json.dumps(values), encoding="utf-8")
        path.with_suffix(".new").replace(path)

    def _keep(self, kind: str, content: bytes, ending: str, reason: str) -> None:
        self.failures += 1
        name = f"{kind.replace(' ', '-')}-{hashlib.sha256(content).hexdigest()[:8]}"
        failures = self.folder / "failures"
        failures.mkdir(exist_ok=True)
        (failures / f"{name}.{ending}").write_bytes(content)
        (failures / f"{name}.txt").write_text(reason, encoding="utf-8")


# --- within the process: each part in a child, which may die of its input ------------------------
# Nothing under test is imported before Atheris can instrument it.


def decode(picture: object) -> str:
    """What the decoder makes of a picture; raises what it must never raise."""
    from imagette.errors import ImageError
    from imagette.images.opened import to_pixels

    try:
        pixels = to_pixels(picture, 32, 32, MAX_PIXELS)  # type: ignore[arg-type]
    except ImageError as error:
        return "too large" if error.too_large else "refused"
    if pixels.shape != (32, 32, 3) or pixels.dtype != "uint8":
        raise FailureError(f"The result is {pixels.shape} of {pixels.dtype}.")
    return "a picture"


def made_pictures(report: Report, seed: int) -> None:
    from hostile_inputs import pictures

    process = psutil.Process()
    current = report.folder / "current.picture"
    for number in range(report.total):
        random = Random(f"{seed} {number}")
        kind, content = (pictures.damaged if number % 100 else pictures.bomb)(random)
        current.write_bytes(content)  # should it kill the process
        report.run(kind, content, "picture", lambda content=content: decode(content))
        if number % 50 == 0:
            report.note_memory(process.memory_info().rss)
    current.unlink()


def arrays(report: Report, seed: int) -> None:
    import numpy as np
    from hypothesis import strategies as st
    from hypothesis.extra import numpy as npst

    channels = st.sampled_from([(), (1,), (3,), (4,)])
    shapes = st.one_of(
        npst.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=5),
        st.tuples(npst.array_shapes(min_dims=2, max_dims=2), channels).map(
            lambda two: sum(two, ())
        ),
    )
    dtypes = st.one_of(
        st.sampled_from(["uint8", ">u2", "bool", "float16", "float32"]).map(np.dtype),
        npst.scalar_dtypes(), npst.unicode_string_dtypes(), npst.array_dtypes(),
    )  # fmt: skip

    def check(array) -> None:
        content = f"{array.dtype} {array.shape} {array.tolist()!r}".encode(errors="replace")
        report.run("array", content, "array", lambda: decode(array))

    _generate(npst.arrays(dtypes, shapes), report.total, seed, check)


def guided_pictures(report: Report, seed: int) -> None:
    import atheris

    with atheris.instrument_imports(include=["PIL", "imagette.inference"]):
        from hostile_inputs import pictures

        import imagette.images.opened  # noqa: F401

        seeds = pictures.seeds()

    def check(content: bytes) -> None:
        report.run("guided", content, "picture", lambda: decode(content))

    _fuzz(report, seed, seeds, check)


def guided_requests(report: Report, seed: int) -> None:
    import atheris

    with atheris.instrument_imports(include=["werkzeug", "imagette.serving"]):
        ask = application()
    from hostile_inputs import pictures

    def check(content: bytes) -> None:
        report.run("guided", content, "body", lambda: ask(content))

    picture = min(pictures.seeds(), key=len)
    form = (
        b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n%b\r\n--x--\r\n'
    )
    seeds = (
        b"multipart/form-data; boundary=x\n" + form % picture,
        b"multipart/form-data; boundary=x\n" + form[:-4] % b"" + form % picture,
        b"image/png\n" + picture,
        b'application/json; charset=utf-8\n{"image": [[[0.5, 1, 0]]]}',
    )
    _fuzz(report, seed, seeds, check)


def application() -> Callable[[bytes], str]:
    """A function that asks the API within this process: a line of content type, then the body."""
    from imagette.serving.app import create_app
    from imagette.serving.settings import Settings

    client = create_app(Settings(model="cifar10-lite", max_pixels=MAX_PIXELS)).test_client()

    def ask(content: bytes) -> str:
        line, _, body = content.partition(b"\n")
        content_type = line.replace(b"\r", b" ").decode("latin-1")
        answer = client.post("/predict", data=body, content_type=content_type)
        return check_answer(answer.status_code, answer.content_type or "", answer.data)

    return ask


def _fuzz(report: Report, seed: int, seeds: tuple[bytes, ...], check: Callable) -> None:
    """Let libFuzzer call `check`; it ends the process."""
    import atheris

    corpus = report.folder / f"corpus {report.part}"
    corpus.mkdir(exist_ok=True)
    for content in seeds:
        (corpus / hashlib.sha256(content).hexdigest()).write_bytes(content)
    (report.folder / "failures").mkdir(exist_ok=True)
    process = psutil.Process()

    def one(content: bytes) -> None:
        check(content)
        if report.count % 50 == 0:
            report.note_memory(process.memory_info().rss)
        if report.count >= report.total:
            report.write()
            os._exit(0)

    options = [
        f"-seed={seed + 1}", f"-timeout={TIMEOUT:.0f}", "-rss_limit_mb=2048", "-max_len=8192",
        "-len_control=0", "-reload=0", f"-artifact_prefix={report.folder / 'failures'}/",
    ]  # fmt: skip
    atheris.Setup([sys.argv[0], *options, str(corpus)], one)
    atheris.Fuzz()


def _generate(strategy, count: int, seed: int, check: Callable) -> None:
    """Call `check` with `count` examples of a Hypothesis strategy."""
    import hypothesis

    options = hypothesis.settings(
        max_examples=500, deadline=None, database=None, phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )  # fmt: skip
    left = count

    def one(example) -> None:
        nonlocal left
        if left > 0:
            left -= 1
            check(example)

    # In batches: the examples of one run grow alike.
    portion = 0
    while left > 0:
        run = options(hypothesis.given(strategy)(one))
        hypothesis.seed(seed * 1_000_003 + portion)(run)()
        portion += 1


# --- over HTTP -----------------------------------------------------------------------------------


def check_answer(status: int, content_type: str, body: bytes, method: str = "POST") -> str:
    """The outcome that an answer is; raises `FailureError` where the API must not answer so."""
    if not 200 <= status < 500:
        raise FailureError(f"The status is {status}: {body[:300]!r}")
    if method == "HEAD" or (status < 400 and not body):
        return str(status)
    if status >= 400 and not body and not content_type:
        return f"{status} bare"
    if status >= 400 and content_type != "application/problem+json":
        raise FailureError(f"An error {status} as {content_type!r}: {body[:300]!r}")
    if "json" in content_type:
        answer = json.loads(body)
        if status >= 400 and (answer["status"] != status or not answer["detail"]):
            raise FailureError(f"Not a problem: {answer}")
    return str(status)


class Client:
    """Keeps one connection to the server, and opens another where the server has closed it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.connection: socket.socket | None = None

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), TIMEOUT)

    def ask(self, request: bytes, method: str) -> str:
        fresh = self.connection is None
        self.connection = self.connection or self.connect()
        try:
            return self._ask(self.connection, request, method)
        except (ConnectionError, http.client.BadStatusLine):
            self.close()
            if fresh:
                raise
            return self.ask(request, method)  # it was closed after the answer before
        except Exception:
            self.close()
            raise

    def _ask(self, connection: socket.socket, request: bytes, method: str) -> str:
        # A server may answer and close before it has read everything.
        with contextlib.suppress(ConnectionError):
            connection.sendall(request)
        response = http.client.HTTPResponse(connection, method=method)
        response.begin()
        body = response.read()
        if response.will_close:
            self.close()
        return check_answer(response.status, response.headers.get("Content-Type", ""), body, method)

    def close(self) -> None:
        if self.connection:
            self.connection.close()
        self.connection = None


def requests(report: Report, seed: int, server: "Server") -> None:
    from hostile_inputs.requests import REQUESTS

    client = Client(server.port)

    def check(request) -> None:
        content = request.to_bytes()
        report.run(request.kind, content, "request", lambda: client.ask(content, request.method))
        if report.count % 50 == 0:
            report.note_memory(server.memory())

    _generate(REQUESTS, report.total, seed, check)
    client.close()
    time.sleep(1)
    report.note_memory(server.memory())


def malformed(report: Report, seed: int, server: "Server") -> None:
    from hostile_inputs.requests import malformed

    for number in range(report.total):
        kind, content = malformed(Random(f"{seed} {number}"))
        report.run(
            kind, content, "request", lambda content=content: send_bytes(server.port, content)
        )
        if number % 50 == 0:
            report.note_memory(server.memory())


def send_bytes(port: int, content: bytes) -> str:
    """Send bytes and no more; the outcome of all that the server has to say to them."""
    with Client(port).connect() as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(content)
            with contextlib.suppress(OSError):  # the server may have hung up already
                connection.shutdown(socket.SHUT_WR)
        outcome = "closed"
        with contextlib.suppress(ConnectionError):
            while True:
                response = http.client.HTTPResponse(connection)
                try:
                    response.begin()
                    body = response.read()
                except (http.client.BadStatusLine, http.client.IncompleteRead):
                    break
                kind = response.headers.get("Content-Type", "")
                outcome = check_answer(response.status, kind, body)
                if response.will_close or not connection.recv(1, socket.MSG_PEEK):
                    break
        return outcome


def slow_clients(report: Report, seed: int, server: "Server") -> None:
    """Some stalled connections at a time, while a client that does not stall asks."""
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
    asked = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    ways = (
        ("nothing", b""),
        ("half a head", head),
        ("no body", head + b"Content-Length: 5000\r\n\r\n"),
        ("half a body", head + b"Content-Length: 5000\r\n\r\n" + bytes(2500)),
        ("half a chunk", head + b"Transfer-Encoding: chunked\r\n\r\n1000\r\nabc"),
        ("byte by byte", b""),
    )
    while report.count < report.total:
        with contextlib.ExitStack() as stack:
            connections = []
            for number in range(min(server.stalled, report.total - report.count)):
                way, content = ways[number % len(ways)]
                connection = stack.enter_context(Client(server.port).connect())
                connection.sendall(content)
                connections.append((way, connection))
            for index, (way, connection) in enumerate(connections):
                if way == "byte by byte":
                    with contextlib.suppress(ConnectionError):
                        connection.sendall(head[index % len(head) :][:1])
                client = Client(server.port)
                report.run(way, asked, "request", lambda client=client: client.ask(asked, "GET"))
                client.close()
        report.note_memory(server.memory())


class Server:
    """`imagette serve` in a process of its own, as a user would start it."""

    def __init__(self, port: int, stalled: int, log: Path) -> None:
        self.port, self.stalled = port, stalled
        self._log = log.open("w", encoding="utf-8")
        command = [
            sys.executable,
            "-m",
            "imagette",
            "serve",
            "--model",
            "cifar10-lite",
            "--port",
            str(port),
        ]
        environment = os.environ | {"IMAGETTE_WORKERS": "1", "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(
            command, env=environment, stdout=self._log, stderr=subprocess.STDOUT
        )
        self.workers = self._wait()

    def _wait(self) -> list[psutil.Process]:
        client = Client(self.port)
        for _ in range(600):
            if self.process.poll() is not None:
                sys.exit(f"The server does not start; see {self._log.name}.")
            with contextlib.suppress(OSError):
                client.ask(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", "GET")
                client.close()
                return psutil.Process(self.process.pid).children(recursive=True)
            time.sleep(0.1)
        sys.exit("The server does not answer.")

    def memory(self) -> int:
        """Resident bytes of the largest process; raises `NoSuchProcess` if one has died."""
        return max(process.memory_info().rss for process in self.workers)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        self._log.close()


# --- all of it -----------------------------------------------------------------------------------

IN_PROCESS = {
    "guided pictures": guided_pictures,
    "made pictures": made_pictures,
    "arrays": arrays,
    "guided requests": guided_requests,
}
OVER_HTTP = {"requests": requests, "malformed": malformed, "slow clients": slow_clients}


def run_child(options: argparse.Namespace, part: str, total: int) -> int:
    """Run a part in a process of its own; its exit status, or a signal's number below zero."""
    command = [sys.executable, __file__, "--child", part, "--inputs", str(total),
               "--seed", str(options.seed), "--folder", str(options.folder)]  # fmt: skip
    with (options.folder / f"{part}.log").open("w", encoding="utf-8") as log:
        child = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        progress, seen = read_report(options.folder, part), time.monotonic()
        while child.poll() is None:
            time.sleep(0.2)
            if (now := read_report(options.folder, part)) != progress:
                progress, seen = now, time.monotonic()
            elif time.monotonic() - seen > 3 * TIMEOUT:
                child.kill()
        return child.wait()


def read_report(folder: Path, part: str) -> dict:
    path = folder / f"{part}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


@contextlib.contextmanager
def shown_progress(folder: Path, part: str, total: int) -> Iterator[None]:
    """Print now and then how far a part has come."""
    stop = Event()

    def show() -> None:
        start = time.monotonic()
        while not stop.wait(10):
            done = sum(read_report(folder, part).get("outcomes", {}).values())
            print(f"{part}: {done:,} of {total:,} in {time.monotonic() - start:.0f} s", flush=True)

    thread = Thread(target=show, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def problems_of(part: str, report: dict, total: int, status: int) -> list[str]:
    """What is wrong with the outcome of a part."""
    problems = []
    if failures := report.get("failures"):
        problems.append(f"{failures} inputs failed")
    if status != 0:
        problems.append(f"its process ended with {status}")
    if sum(report.get("outcomes", {}).values()) < total:
        problems.append("not all inputs were run")
    memory = report.get("memory", [])
    # libFuzzer's corpus and counters grow by themselves; it has a limit of its own.
    if not part.startswith("guided") and memory and memory[-1] - memory[0] > GROWTH:
        problems.append("memory grew")
    return [f"{part}: {problem}" for problem in problems]


def row(part: str, report: dict, seconds: float) -> str:
    outcomes = ", ".join(f"{name} {count:,}" for name, count in sorted(report["outcomes"].items()))
    memory = " → ".join(f"{bytes_ / 1e6:.0f}" for bytes_ in report["memory"]) or "–"
    total = sum(report["outcomes"].values())
    slowest = f"{report['slowest']:.2f} s ({report['slowest_kind']})"
    return f"| {part} | {total:,} | {seconds:.0f} s | {outcomes} | {slowest} | {memory} |"


def run_all(options: argparse.Namespace) -> int:
    options.folder.mkdir(parents=True, exist_ok=True)
    server = Server(options.port, options.stalled, options.folder / "server.log")
    rows, problems = [], []
    try:
        for part, share in PARTS.items():
            total = max(1, round(options.inputs * share))
            (options.folder / f"{part}.json").unlink(missing_ok=True)
            start, status = time.monotonic(), 0
            with shown_progress(options.folder, part, total):
                if part in IN_PROCESS:
                    status = run_child(options, part, total)
                else:
                    report = Report(options.folder, part, total)
                    OVER_HTTP[part](report, options.seed, server)
                    report.write()
            known = read_report(options.folder, part)
            problems += problems_of(part, known, total, status)
            if known:
                rows.append(row(part, known, time.monotonic() - start))
    finally:
        server.stop()
    print("| part | inputs | time | outcomes | slowest | memory, MB, first → last |")
    print("|---|---|---|---|---|---|", *rows, sep="\n")
    print(*problems, sep="\n")
    return 1 if problems else 0


def replay(path: Path, options: argparse.Namespace) -> int:
    """Run one kept input again, and print what comes of it."""
    content = path.read_bytes()
    if path.suffix == ".request":
        server = Server(options.port, options.stalled, Path(os.devnull))
        try:
            print(send_bytes(server.port, content))
        finally:
            server.stop()
    elif path.suffix == ".body":
        print(application()(content))
    else:
        print(decode(content))
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--inputs", type=int, default=100_000, help="how many in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--port", type=int, default=5200)
    parser.add_argument("--stalled", type=int, default=100, help="slow clients at a time")
    parser.add_argument("--folder", type=Path, default=Path("hostile"), help="for what it keeps")
    parser.add_argument("--replay", type=Path, help="run this kept input again")
    parser.add_argument("--child", choices=IN_PROCESS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.replay:
        return replay(options.replay, options)
    if options.child:
        faulthandler.enable()
        report = Report(options.folder, options.child, options.inputs)
        IN_PROCESS[options.child](report, options.seed)
        report.write()
        return 0
    return run_all(options)


if __name__ == "__main__":
    sys.exit(main())
