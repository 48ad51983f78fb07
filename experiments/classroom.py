"""Thirty phones that teach one computer at once: how soon each is answered, and what it takes.

    python experiments/classroom.py [--phones 30] [--browsers 2] [--short]

Serves API and page as `imagette serve --ui --teach --https` does. Each phone begins a lesson of its
own with three classes, uploads ten photographs of each, opens its camera, and has what it sees
answered for a minute, as often as the page's own script sends it (live_camera.js): the next image
0.35 s after the last one, or twice as long after it as its answer took, if that is later.

A photograph has 12 megapixels and some 3 MB, as phones take them. The page's script makes it
smaller before it sends it (uploads.js), so the phones send what it would make of it: 2048 x 1536
pixels, at JPEG quality 92, some 0.9 MB. What time that takes a phone is not in the figures.

What is real: API, page, HTTPS, WebSockets, lessons, files, and the `--browsers` phones, which are
windows of headless Chromium with a camera that shows a test pattern. They record a picture of each
of two classes, and upload nothing; all that is timed of them is the camera's answers. What is
simulated: the other phones speak the page's own protocol (`shared/page_visit.py`), so that the page
does for each all that it does for a browser; they draw nothing, share the processors with the
server they load, and reach it without any Wi-Fi. Each comes from an address of its own, as in a
classroom, which needs Linux: all of 127.0.0.0/8 is here there.

Prints median, 95th and 99th percentile of each step, what went wrong, the most memory that API and
page took, and how long they computed for each live answer, which other work beside hardly changes.
Writes results/classroom/seconds.json, but for a short run.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Barrier, BrokenBarrierError

from shared.beside import beside
from shared.chromium import find_chromium
from shared.chromium_phones import browsers
from shared.classroom_findings import Findings, watch
from shared.page_visit import Trouble, Visit
from shared.phone_pictures import as_seen, make_photographs
from shared.servers import (
    Post,
    free_port,
    imagette,
    machine,
    running,
    say,
    small_picture,
    stop_at_signals,
)

from imagette.files import write_json
from imagette.local_network import addresses_for_others

RESULTS = Path(__file__).parent / "results" / "classroom"
CLASSES = ["cat", "ship", "frog"]
BETWEEN, SLOW, PATIENCE = 0.35, 3.0, 5.0  # seconds, as live_camera.js has them


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--phones", type=int, default=30, help="all of them")
    parser.add_argument("--browsers", type=int, default=2, help="those that are Chromium")
    parser.add_argument("--seconds", type=float, default=60, help="of live answers")
    parser.add_argument("--pictures", type=int, default=10, help="of a class")
    parser.add_argument("--short", action="store_true", help="four phones, ten seconds, 3 pictures")
    options = parser.parse_args()
    if options.short:
        options.phones, options.browsers, options.seconds = 4, 1, 10
        options.pictures = 3
    stop_at_signals()
    if options.browsers:
        find_chromium()
    if not addresses_for_others("0.0.0.0"):
        sys.exit("This machine is in no network, so nothing would be reached by HTTPS.")
    before = machine()
    photographs = make_photographs(CLASSES, options.pictures)
    size = statistics.mean(len(one) for kind in photographs for one in kind)
    say(f"Phones send photographs of {size / 1e6:.2f} MB on average.")
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
                teach(options, photographs, (port, https_port), findings)
        for line in log.read_text(errors="replace").splitlines():
            if "Traceback" in line or "Error" in line:
                findings.note(f"log: {line}")
    tell(findings, options, before)


def teach(
    options: argparse.Namespace,
    photographs: list[list[bytes]],
    ports: tuple[int, int],
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
            windows = (options.browsers, options.seconds, CLASSES[:2])
            wait = partial(wait_at, at_once)
            pool.submit(browsers, *windows, ports[1], wait, findings).result()


def phone(
    number: int,
    options: argparse.Namespace,
    photographs: list[list[bytes]],
    ports: tuple[int, int],
    at_once: Barrier,
    findings: Findings,
) -> None:
    """All that one phone does."""
    seen = as_seen(photographs[number % len(CLASSES)][0])
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
            look(visit, seen, findings)
        with findings.step("all pictures are there"):
            check_lesson(ports[0], lesson, sum(map(len, photographs)))
    except Exception:  # counted by the step
        at_once.abort()
    finally:
        if visit:
            visit.close()


def look(visit: Visit, seen: bytes, findings: Findings) -> None:
    """Have what a camera sees answered, and wait as long as the page's script does then."""
    start = time.monotonic()
    try:
        with findings.step("answer"):
            visit.look(seen)
    except Trouble:
        pause = SLOW
    else:
        pause = max(BETWEEN, 2 * min(time.monotonic() - start, PATIENCE))
    time.sleep(max(0.0, start + pause - time.monotonic()))


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
