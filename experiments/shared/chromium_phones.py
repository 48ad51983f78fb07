"""Phones that are windows of Chromium, with a camera that shows a test pattern."""

import time
from collections.abc import Callable

from playwright.sync_api import Page, WebSocket, sync_playwright
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from imagette.local_network import addresses_for_others
from shared.chromium import CHROMIUM_OPTIONS, find_chromium
from shared.classroom_findings import Findings


def browsers(
    count: int,
    seconds: float,
    names: list[str],
    port: int,
    wait: Callable[[], None],
    findings: Findings,
) -> None:
    """Windows of Chromium that teach by their camera, and time its answers.

    Args:
        count: of windows.
        seconds: for which they are timed.
        names: of the classes that they teach.
        port: of the page, by HTTPS.
        wait: waits for the other phones.
        findings: takes what was measured.
    """
    address = addresses_for_others("0.0.0.0")[0]
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=find_chromium(), args=CHROMIUM_OPTIONS)
        pages = []
        for _ in range(count):
            context = browser.new_context(
                locale="en-US", permissions=["camera"], ignore_https_errors=True
            )
            context.set_default_timeout(120_000)
            page = context.new_page()
            page.on("websocket", lambda one: time_answers(one, findings))
            page.goto(f"https://{address}:{port}/teach")
            teach_by_camera(page, names)
            pages.append(page)
        wait()
        pages[0].wait_for_timeout(2000)  # Playwright tells now what it saw while it was waited
        findings.seconds.pop("answer in Chromium", None)
        pages[0].wait_for_timeout(1000 * seconds)
        for page in pages:
            if page.get_by_test_id("stException").count():
                findings.note("Chromium: an error stands on the page")
        browser.close()


def teach_by_camera(page: Page, names: list[str]) -> None:
    """Begin a lesson in Chromium, and take a picture of each class."""
    for place, name in enumerate(names):
        page.locator(f".st-key-teach-name-{place} input").fill(name)
    page.locator(".st-key-teach-begin button").click()
    page.locator(".st-key-teach-camera button").click()
    for label in range(len(names)):
        page.locator(".imagette-live button").nth(label).click()
        page.locator(f".st-key-teach-images-{label} button").first.wait_for()
    page.locator(".st-key-teach-live-answer .imagette-bars").wait_for()


def time_answers(connection: WebSocket, findings: Findings) -> None:
    """Time, of all that goes through a window's WebSocket, each image and its answer."""
    sent: list[float] = []
    shown: list[str] = []

    def note_sent(message: str | bytes) -> None:
        if isinstance(message, bytes):
            states = BackMsg.FromString(message).rerun_script.widget_states.widgets
            if any(one.json_trigger_value for one in states):
                sent[:] = [time.perf_counter()]
                shown.clear()

    def note_received(message: str | bytes) -> None:
        if isinstance(message, bytes) and sent:
            heard = ForwardMsg.FromString(message)
            shown.append(heard.delta.new_element.html.body)
            if heard.script_finished == ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY:
                seconds = time.perf_counter() - sent.pop()
                if any("imagette-bars" in text for text in shown):
                    findings.add("answer in Chromium", seconds)
                else:
                    findings.note("Chromium: the camera was not answered")

    connection.on("framesent", note_sent)
    connection.on("framereceived", note_received)
