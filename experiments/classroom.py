"""Thirty phones that teach one computer at once: how soon each is answered, and what it takes.

    python experiments/classroom.py [--phones 30] [--browsers 2] [--short]

Serves API and page as `imagette serve --ui --teach --https` does. Each phone begins a lesson of its
own with three classes, uploads ten photographs of each (12 megapixels, some 3 MB, as phones take
them), opens its camera, and has what it sees answered for a minute, as often as the page's own
script sends it: the next image 0.4 s after the last one, or once that is answered if that is later.

What is real: API, page, HTTPS, WebSockets, lessons, files, and the `--browsers` phones, which are
windows of headless Chromium with a camera that shows a test pattern. They upload nothing; all that
is timed of them is the camera. What is simulated: the other phones speak the page's own protocol
(`shared/page_visit.py`), so that the page does for each all that it does for a browser; they draw
nothing, share the processors with the server they load, and reach it without any Wi-Fi. Each comes
from an address of its own, as in a classroom, which needs Linux: all of 127.0.0.0/8 is here there.

Prints median, 95th and 99th percentile of each step, what went wrong, the most memory that API and
page took, and how long they computed for each live answer, which other work beside hardly changes.
Writes results/classroom/seconds.json, but for a short run.
"""

import argparse
import io
import json
import shutil
import statistics
import sys
import tempfile
import time
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Barrier, BrokenBarrierError, Event, Lock

import psutil
from PIL import Image
from playwright.sync_api import Page, WebSocket, sync_playwright
from shared.beside import beside
from shared.page_visit import Trouble, Visit
from shared.servers import (
    Post,
    descendants,
    free_port,
    imagette,
    machine,
    running,
    say,
    small_picture,
    stop_at_signals,
)
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from imagette.assets import list_samples
from imagette.files import write_json
from imagette.local_network import addresses_for_others

RESULTS = Path(__file__).parent / "results" / "classroom"
CLASSES = ["cat", "ship", "frog"]
BETWEEN = 0.4  # seconds, as live_camera.js has it
CHROMIUM_OPTIONS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking",
    "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
]  # fmt: skip
STEPS = ("open", "begin", "upload of a class", "open camera", "answer", "answer in Chromium")


@dataclass(frozen=True)
class Taken:
    """What page and API have taken by some time: memory in bytes, and seconds of a processor."""

    time: float
    memory: dict[str, int]
    seconds: dict[str, float]


class Findings:
    """What all phones measure, in seconds by step, and what went wrong."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self.troubles: dict[str, int] = defaultdict(int)
        self.taken: list[Taken] = []
        self.cameras_began = 0.0
        self._lock = Lock()

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a step; what goes wrong in it is counted, and goes on."""
        start = time.perf_counter()
        try:
            yield
        except Exception as trouble:
            with self._lock:
                self.troubles[f"{name}: {type(trouble).__name__}: {trouble}"] += 1
            raise
        self.add(name, time.perf_counter() - start)

    def add(self, name: str, seconds: float) -> None:
        with self._lock:
            self.seconds[name].append(round(seconds, 3))

    def most_memory(self) -> dict[str, int]:
        """The most that page and API took at any time, each by itself."""
        return {name: max(one.memory[name] for one in self.taken) for name in ("page", "API")}

    def computing(self) -> dict[str, float]:
        """Seconds of a processor that each live answer took, in the page and in the API."""
        answers = len(self.seconds["answer"]) + len(self.seconds["answer in Chromium"])
        live = [one for one in self.taken if one.time > self.cameras_began]
        return {
            name: round((live[-1].seconds[name] - live[0].seconds[name]) / max(1, answers), 4)
            for name in ("page", "API")
        }

    def summary(self) -> dict[str, dict[str, float]]:
        """Of each step, how many there were and what they took."""
        found = {}
        for name in STEPS:
            if measured := self.seconds.get(name):
                cuts = statistics.quantiles([*measured, max(measured)], n=100, method="inclusive")
                found[name] = {
                    "count": len(measured), "median": round(cuts[49], 3), "p95": round(cuts[94], 3),
                    "p99": round(cuts[98], 3), "slowest": max(measured),
                }  # fmt: skip
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--phones", type=int, default=30, help="all of them")
    parser.add_argument("--browsers", type=int, default=2, help="those that are Chromium")
    parser.add_argument("--seconds", type=float, default=60, help="of live answers")
    parser.add_argument("--megapixels", type=float, default=12, help="of a photograph")
    parser.add_argument("--pictures", type=int, default=10, help="of a class")
    parser.add_argument("--short", action="store_true", help="four phones, ten seconds, 3 pictures")
    options = parser.parse_args()
    if options.short:
        options.phones, options.browsers, options.seconds = 4, 1, 10
        options.pictures, options.megapixels = 3, 2
    stop_at_signals()
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if options.browsers and not chromium:
        sys.exit("There is no Chromium on this machine: install it, or give --browsers 0.")
    if not addresses_for_others("0.0.0.0"):
        sys.exit("This machine is in no network, so nothing would be reached by HTTPS.")
    before = machine()
    photographs = make_photographs(options.pictures, options.megapixels)
    size = statistics.mean(len(one) for kind in photographs for one in kind)
    say(f"Photographs of {size / 1e6:.1f} MB on average.")
    port, ui_port, https_port = free_port(), free_port(), free_port()
    ports = ["--ui-port", str(ui_port), "--https-port", str(https_port)]
    command = [
        *imagette(port), "--ui", "--teach", "--https", "--host", "0.0.0.0", *ports,
        "--model", "cifar10-lite",
    ]  # fmt: skip
    post = Post(small_picture(), {"Content-Type": "image/png"})
    findings = Findings()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with running(command, f"http://127.0.0.1:{port}/predict", post, log, {}) as server:
            wait_for_page(https_port)
            with beside(lambda done: watch(server, findings, done)):
                teach(options, photographs, (port, https_port), chromium or "", findings)
        for line in log.read_text(errors="replace").splitlines():
            if "Traceback" in line or "Error" in line:
                findings.troubles[f"log: {line}"] += 1
    tell(findings, options, before)


def make_photographs(count: int, megapixels: float) -> list[list[bytes]]:
    """So many photographs of each class, in files as large as a phone's."""
    height = round((megapixels * 1e6 * 3 / 4) ** 0.5)
    samples = {Path(one.path).stem: one.path for one in list_samples()}
    kinds = []
    for name in CLASSES:
        with Image.open(samples[name]) as opened:
            image = opened.convert("RGB").resize((height * 4 // 3, height))
        kind = []
        for number in range(count):
            noise = Image.effect_noise(image.size, 30).convert("RGB")
            file = io.BytesIO()
            turned = image.rotate(3 * number - 15)
            Image.blend(turned, noise, 0.25).save(file, "JPEG", quality=85)
            kind.append(file.getvalue())
        kinds.append(kind)
    return kinds


def teach(
    options: argparse.Namespace,
    photographs: list[list[bytes]],
    ports: tuple[int, int],
    chromium: str,
    findings: Findings,
) -> None:
    """Have all phones teach at once, at the ports of API and page."""
    simulated = options.phones - options.browsers

    # All cameras at once, too; the windows of Chromium are of one thread, as Playwright wants it.
    def begin() -> None:
        findings.cameras_began = time.monotonic()

    at_once = Barrier(simulated + bool(options.browsers), action=begin)
    with ThreadPoolExecutor(simulated + 1) as pool:
        for number in range(simulated):
            pool.submit(phone, number, options, photographs, ports, at_once, findings)
        if options.browsers:
            pool.submit(browsers, options, ports[1], chromium, at_once, findings).result()


def phone(
    number: int,
    options: argparse.Namespace,
    photographs: list[list[bytes]],
    ports: tuple[int, int],
    at_once: Barrier,
    findings: Findings,
) -> None:
    """All that one phone does."""
    seen = io.BytesIO()
    with Image.open(io.BytesIO(photographs[number % len(CLASSES)][0])) as opened:
        opened.resize((400, 300)).save(seen, "JPEG", quality=90)
    visit = None
    try:
        with findings.step("open"):
            visit = Visit("127.0.0.1", ports[1], f"127.0.1.{number + 1}")
            visit.open()
        with findings.step("begin"):
            lesson = visit.begin_lesson(CLASSES)
        for place, kind in enumerate(photographs):
            with findings.step("upload of a class"):
                visit.upload(place, kind)
        with findings.step("open camera"):
            visit.open_camera()
        wait_at(at_once)
        end = time.monotonic() + options.seconds
        while time.monotonic() < end:
            start = time.monotonic()
            with findings.step("answer"):
                visit.look(seen.getvalue())
            time.sleep(max(0.0, BETWEEN - (time.monotonic() - start)))
        with findings.step("all pictures are there"):
            check_lesson(ports[0], lesson, sum(map(len, photographs)))
    except Exception:  # counted by the step
        at_once.abort()
    finally:
        if visit:
            visit.close()


def check_lesson(port: int, lesson: str, pictures: int) -> None:
    """See that the API has learned all that was shown."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/lessons/{lesson}", timeout=60) as answer:
        kept = sum(len(one["pictures"]) for one in json.load(answer)["classes"])
    if kept != pictures:
        raise Trouble(f"{pictures - kept} of {pictures} pictures were not learned")


def wait_at(barrier: Barrier) -> None:
    """Wait for the others, unless one of them does not come."""
    try:
        barrier.wait(600)
    except BrokenBarrierError:
        return


def browsers(
    options: argparse.Namespace, port: int, chromium: str, at_once: Barrier, findings: Findings
) -> None:
    """Windows of Chromium that teach by their camera, and time its answers."""
    address = addresses_for_others("0.0.0.0")[0]
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=CHROMIUM_OPTIONS)
        pages = []
        for _ in range(options.browsers):
            context = browser.new_context(
                locale="en-US", permissions=["camera"], ignore_https_errors=True
            )
            context.set_default_timeout(120_000)
            page = context.new_page()
            page.on("websocket", lambda one: time_answers(one, findings))
            page.goto(f"https://{address}:{port}/teach")
            teach_by_camera(page)
            pages.append(page)
        wait_at(at_once)
        pages[0].wait_for_timeout(2000)  # Playwright tells now what it saw while it was waited
        findings.seconds.pop("answer in Chromium", None)
        pages[0].wait_for_timeout(1000 * options.seconds)
        for page in pages:
            if page.get_by_test_id("stException").count():
                findings.troubles["Chromium: an error stands on the page"] += 1
        browser.close()


def teach_by_camera(page: Page) -> None:
    """Begin a lesson in Chromium, and take a picture of each class."""
    for place, name in enumerate(CLASSES[:2]):
        page.locator(f".st-key-teach-name-{place} input").fill(name)
    page.locator(".st-key-teach-begin button").click()
    page.locator(".st-key-teach-camera button").click()
    for label in range(2):
        page.locator(".imagette-live button").nth(label).click()
        page.locator(f".st-key-teach-images-{label} button").first.wait_for()
    page.locator(".st-key-teach-live-answer .imagette-bars").wait_for()


def time_answers(connection: WebSocket, findings: Findings) -> None:
    """Time, of all that goes through a window's WebSocket, each image and its answer."""
    sent: list[float] = []

    def note_sent(message: str | bytes) -> None:
        if isinstance(message, bytes):
            states = BackMsg.FromString(message).rerun_script.widget_states.widgets
            if any(one.json_trigger_value for one in states):
                sent[:] = [time.perf_counter()]

    def note_received(message: str | bytes) -> None:
        if isinstance(message, bytes) and sent:
            heard = ForwardMsg.FromString(message)
            if heard.script_finished == ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY:
                findings.add("answer in Chromium", time.perf_counter() - sent.pop())

    connection.on("framesent", note_sent)
    connection.on("framereceived", note_received)


def wait_for_page(port: int) -> None:
    """Wait until the page takes visits."""
    for _ in range(300):
        try:
            visit = Visit("127.0.0.1", port, "127.0.0.1")
            visit.open()
            visit.close()
        except (OSError, Trouble):
            time.sleep(0.2)
        else:
            return
    sys.exit("The page does not come up.")


def watch(server: psutil.Process, findings: Findings, done: Event) -> None:
    """Note twice a second what the page takes, and all processes of the API together."""
    while not done.wait(0.5):
        memory, seconds = {"page": 0, "API": 0}, {"page": 0.0, "API": 0.0}
        for one in (server, *descendants(server)):
            try:
                name = "page" if "imagette.webapp.server" in one.cmdline() else "API"
                memory[name] += one.memory_full_info().uss
                seconds[name] += sum(one.cpu_times()[:2])
            except psutil.Error:
                continue
        findings.taken.append(Taken(time.monotonic(), memory, seconds))


def tell(findings: Findings, options: argparse.Namespace, before: object) -> None:
    summary, memory = findings.summary(), findings.most_memory()
    for name, one in summary.items():
        say(
            f"{name:20}{one['count']:6.0f} times   median {one['median']:6.2f} s   p95"
            f" {one['p95']:6.2f} s   p99 {one['p99']:6.2f} s   slowest {one['slowest']:6.2f} s"
        )
    answers = len(findings.seconds["answer"])
    simulated = options.phones - options.browsers
    rate = answers / options.seconds / max(1, simulated)
    say(f"Answers a second for each phone: {rate:.2f}; of all: {answers / options.seconds:.1f}.")
    say(", ".join(f"{name} at most {size / 1e6:.0f} MB" for name, size in memory.items()))
    computing = findings.computing()
    told = ", ".join(
        f"{1000 * seconds:.0f} ms in the {name}" for name, seconds in computing.items()
    )
    say(f"Computing of one processor for each live answer: {told}.")
    for trouble, count in findings.troubles.items():
        say(f"{count} times {trouble}")
    say(f"Failures: {sum(findings.troubles.values())}")
    if not options.short:
        kept = {
            "machine": before, "options": vars(options), "summary": summary, "memory": memory,
            "computing": computing, "troubles": findings.troubles,
        }  # fmt: skip
        write_json(RESULTS / "seconds.json", kept)


if __name__ == "__main__":
    main()
