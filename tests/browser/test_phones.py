"""Phones on the page: over HTTPS at this machine's address in the network, with their camera."""

import pytest
from support.acting import press, upload
from support.command_line import PROGRAM
from support.images import stripes
from support.networks import lan_address
from support.running_server import free_port, picture_file
from support.screen import Screen

from imagette.webapp.texts import TEXTS

EN, FR = TEXTS["en"], TEXTS["fr"]


@pytest.fixture(scope="module")
def phones(backbone):
    """The page's addresses for phones, over HTTP and HTTPS, while it is served in a terminal."""
    pytest.importorskip("cryptography", reason="the page needs imagette[webapp]")
    lan, port, ui_port, https_port = lan_address(), *(str(free_port()) for _ in range(3))
    ports = ["--port", port, "--ui-port", ui_port, "--https-port", https_port]
    options = ["--teach", "--model", "cifar10-lite", "--host", "0.0.0.0", "--https"]
    with Screen([*PROGRAM, "demo", *options, *ports], IMAGETTE_WORKERS="1") as terminal:
        terminal.wait_for("Press Ctrl-C to stop.")
        urls = {"http": f"http://{lan}:{ui_port}", "https": f"https://{lan}:{https_port}"}
        assert f"Phones in the same network: {urls['https']}\n" in terminal.words
        assert "▀" in terminal.words
        yield urls
        terminal.process.terminate()
        assert terminal.finish() == 0
    assert "Traceback" not in terminal.words


@pytest.fixture
def open_phone(browser):
    """A function that opens an address as a phone whose owner has accepted the certificate."""
    contexts, said = [], []

    def open_it(url, language="en-US", **options):
        context = browser.new_context(
            locale=language,
            viewport={"width": 390, "height": 844},
            ignore_https_errors=True,
            permissions=["camera"],
            **options,
        )
        contexts.append(context)
        context.set_default_timeout(20_000)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.goto(url)
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert not [text for text in said if "Content Security Policy" in text]


def test_over_https_the_camera_teaches(open_phone, phones, expect):
    page = open_phone(f"{phones['https']}/teach")
    assert page.evaluate("isSecureContext && !!navigator.mediaDevices")
    press(page.get_by_role("link", name=EN.page_teach))
    for place, name in enumerate(("upright", "camera")):
        page.locator(f".st-key-teach-name-{place} input").fill(name)
    press(page.get_by_role("button", name=EN.teach_begin))
    press(page.locator(".st-key-teach-camera button"))
    add = page.get_by_role("button", name=EN.teach_record.format(name="camera"))
    expect(add).to_be_enabled()
    add.click()
    count = page.locator(".st-key-teach-class-1 .imagette-class .count")
    expect(count).to_have_text(EN.teach_count.format(count=1))

    # Files may come while the camera is open: what it sends then says again what was chosen.
    files = [{"name": "a.png", "mimeType": "image/png", "buffer": stripes(2, True)}]
    box = page.locator(".st-key-teach-upload-0 input[type=file]")
    expect(box).to_have_count(1)  # the one of before the last picture leaves a moment later
    box.set_input_files(files)
    count = page.locator(".st-key-teach-class-0 .imagette-class .count")
    expect(count).to_have_text(EN.teach_count.format(count=1))
    said = page.locator(".st-key-teach-live-answer")
    said.locator(".imagette-bars").wait_for()
    page.wait_for_timeout(2000)  # some more images are sent
    assert page.get_by_test_id("stException").count() == 0
    press(page.get_by_role("button", name=EN.camera_close))


def test_over_https_pictures_are_answered(open_phone, phones, expect):
    page = open_phone(phones["https"])
    upload(page, "red.png", picture_file())
    expect(page.locator(".imagette-bars li").first).to_be_visible()


def test_without_https_pictures_are_answered_and_the_camera_is_explained(
    open_phone, phones, expect
):
    page = open_phone(phones["http"], "fr-FR")
    assert not page.evaluate("isSecureContext")
    upload(page, "red.png", picture_file())
    expect(page.locator(".imagette-bars li").first).to_be_visible()
    press(page.get_by_role("button", name=FR.camera))
    expect(page.get_by_text(FR.camera_forbidden)).to_be_visible()


@pytest.mark.parametrize(("language", "texts"), [("en-US", EN), ("fr-FR", FR)])
def test_the_page_for_projectors_needs_no_script(open_phone, phones, language, texts):
    page = open_phone(f"{phones['http']}/qr", language, java_script_enabled=False)
    assert page.locator("h1").inner_text() == texts.qr_title
    assert page.locator(".address").inner_text() == phones["https"]
    code = page.locator(".code svg").bounding_box()
    assert code["width"] > 300
    assert code["x"] + code["width"] <= 390
    page.set_viewport_size({"width": 1280, "height": 720})
    code = page.locator(".code svg").bounding_box()
    assert code["width"] > 500
    assert code["y"] + code["height"] < 720
    page.get_by_role("link", name=texts.other_language).click()
    assert page.locator("html").get_attribute("lang") != texts.language
