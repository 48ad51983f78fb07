"""How soon what is taught is answered by: from a class's twelfth picture to an answer in a browser.

    python experiments/teaching.py [--rounds 7]

Serves the API and its page on this machine, has headless Chromium open lessons that have twelve
pictures of one class and eleven of another (photographs of 1200×900 pixels, made from two of the
samples), and takes the time in the browser:

    file     from a twelfth file being chosen to the page at rest: it counts twelve pictures, shows
             the accuracy, and has answered anew about the picture that is being tried
    camera   the same from a press on the class's button below the live camera; what the camera
             sees has been answered anew, too

Prints both, and writes results/teaching/seconds.json.
"""

import argparse
import http.client
import io
import json
import random
import statistics
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image, ImageEnhance
from playwright.sync_api import Browser, FilePayload, Page, sync_playwright
from shared.chromium import CHROMIUM_OPTIONS, find_chromium
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

from imagette.assets import list_samples
from imagette.files import write_json

RESULTS = Path(__file__).parent / "results" / "teaching"
CLASSES = ("cat", "ship")
PICTURES = 12
SIZE = (1200, 900)

# Resolves to the seconds from an event to when the second class has so many pictures and the page
# is at rest, so that all that stands on it is answered by them.
CLOCK = """
([event, pictures]) => new Promise((resolve) => {
  let started;
  document.addEventListener(event, () => (started ??= performance.now()), { capture: true });
  const look = () => {
    const count = document.querySelector(".st-key-teach-class-1 .count").textContent;
    const state = document.querySelector("[data-testid=stApp]").dataset.testScriptState;
    const isDone = started && state === "notRunning" && count.endsWith(`: ${pictures}`);
    isDone ? resolve((performance.now() - started) / 1000) : requestAnimationFrame(look);
  };
  look();
})
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    stop_at_signals()
    chromium = find_chromium()
    before, (port, ui_port) = machine(), (free_port(), free_port())
    command = [
        *imagette(port),
        "--ui",
        "--ui-port",
        str(ui_port),
        "--teach",
        "--model",
        "cifar10-lite",
    ]
    post = Post(small_picture(), {"Content-Type": "image/png"})
    seconds: dict[str, list[float]] = {"file": [], "camera": []}
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        log = Path(folder) / "log"
        with running(command, f"http://127.0.0.1:{port}/predict", post, log, {}):
            browser = driver.chromium.launch(executable_path=chromium, args=CHROMIUM_OPTIONS)
            for number in range(rounds):
                for way, measured in seconds.items():
                    took = measure(browser, way, teach(port, number), ui_port, number)
                    measured.append(round(took, 3))
                    say(f"{way:8}{took:6.2f} s")
            browser.close()
    medians = {way: statistics.median(measured) for way, measured in seconds.items()}
    for way, median in medians.items():
        say(f"{way:8}{median:6.2f} s median of {rounds}, slowest {max(seconds[way]):.2f} s")
    write_json(RESULTS / "seconds.json", {"machine": before, "median": medians, "all": seconds})


def teach(port: int, number: int) -> str:
    """The id of a new lesson that lacks one picture of the second class."""
    body = json.dumps({"class_names": CLASSES}).encode()
    lesson = ask(port, "/lessons", body, "application/json")["id"]
    for place, name in enumerate(CLASSES):
        for one in range(PICTURES - place):
            path = f"/lessons/{lesson}/pictures?class={name}"
            ask(port, path, photograph(name, 100 * number + one), "image/jpeg")
    return lesson


def ask(port: int, path: str, body: bytes, kind: str) -> dict[str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", path, body, {"Content-Type": kind})
    answer = json.loads(connection.getresponse().read())
    connection.close()
    return answer


def photograph(name: str, seed: int) -> bytes:
    """A sample as somebody might photograph it: somewhat turned, cropped, darker or lighter."""
    chance = random.Random(f"{name} {seed}")
    sample = next(one for one in list_samples() if one.path.stem == name)
    image = Image.open(sample.path).convert("RGB").resize(SIZE)
    image = image.rotate(chance.uniform(-15, 15))
    left, top = (chance.uniform(0.05, 0.2) * side for side in SIZE)
    box = left, top, SIZE[0] - left * chance.random(), SIZE[1] - top * chance.random()
    image = image.resize(SIZE, Image.Resampling.BICUBIC, box)
    file = io.BytesIO()
    ImageEnhance.Brightness(image).enhance(chance.uniform(0.6, 1.4)).save(file, "JPEG", quality=90)
    return file.getvalue()


def measure(browser: Browser, way: str, lesson: str, ui_port: int, number: int) -> float:
    """The seconds that one lesson's twelfth picture takes."""
    context = browser.new_context(locale="en-US", permissions=["camera"])
    try:
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{ui_port}/teach?lesson={lesson}")
        choose(page, "upload-to-try", photograph(CLASSES[1], 100 * number + 50))
        page.locator(".st-key-answers .imagette-bars").wait_for()
        rest(page)
        if way == "file":
            clock = start_clock(page, "change")
            choose(page, "teach-upload-1", photograph(CLASSES[1], 100 * number + 60))
        else:
            page.locator(".st-key-teach-camera button").click()
            page.locator(".st-key-teach-live-answer .imagette-bars").wait_for()
            clock = start_clock(page, "pointerdown")
            page.locator(".imagette-live button").nth(1).click()
        return float(page.evaluate(f"window.{clock}"))
    finally:
        context.close()


def start_clock(page: Page, event: str) -> str:
    """The name of what will hold the seconds."""
    page.evaluate(f"(options) => {{ window.taken = ({CLOCK})(options); }}", [event, PICTURES])
    return "taken"


def choose(page: Page, box: str, picture: bytes) -> None:
    rest(page)
    file = FilePayload(name="photo.jpg", mimeType="image/jpeg", buffer=picture)
    page.locator(f".st-key-{box} input[type=file]").set_input_files([file])


def rest(page: Page) -> None:
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()


if __name__ == "__main__":
    main()
