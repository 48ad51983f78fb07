"""The real page, in a real headless Chromium."""

import pytest
from support.acting import wait_until_drawn
from support.running_server import RunningServer, free_port


def run(model, **environment):
    """API and page while a fixture lasts."""
    pytest.importorskip("streamlit", reason="the page needs imagette[webapp]")
    running = RunningServer(model, ui_port=free_port(), **environment)
    try:
        yield running.wait_until_ready()
    finally:
        running.process.terminate()
        running.finish()


@pytest.fixture(scope="session")
def server(bundle_path):
    """API and page, running; the same for all tests that do not stop them."""
    yield from run(bundle_path, IMAGETTE_MAX_UPLOAD_BYTES="300000")


@pytest.fixture(scope="session")
def shipped(cifar10_dir):
    """API and page with a model that ships, which can tell "none of these", and its dataset."""
    yield from run("cifar10-lite", IMAGETTE_CIFAR10_DIR=str(cifar10_dir))


@pytest.fixture(scope="module")
def taught(backbone):
    """API and page that may be taught."""
    yield from run("cifar10-lite", IMAGETTE_TEACH="1")


@pytest.fixture
def expect():
    """Playwright's assertions on a page that is drawn: until then, what was there before is too."""
    expect = pytest.importorskip("playwright.sync_api").expect
    expect.set_options(timeout=20_000)

    def expect_of_drawn(target):
        wait_until_drawn(getattr(target, "page", target))  # of a locator, or the page itself
        return expect(target)

    return expect_of_drawn


@pytest.fixture
def open_page(browser):
    """A function that opens the page as a browser of some language does.

    The page must not ask anything of any other machine, nor try what its own Content-Security-Policy
    forbids: that is checked when the test ends.
    """
    contexts, asked, forbidden = [], [], []

    def open_it(ui_port, language="en-US", width=1280, path="", **options):
        viewport = {"width": width, "height": 900}
        context = browser.new_context(locale=language, viewport=viewport, **options)
        contexts.append(context)
        context.set_default_timeout(20_000)
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: forbidden.extend(breaches(message.text)))
        page.goto(f"http://127.0.0.1:{ui_port}/{path}")
        return page

    yield open_it
    for context in contexts:
        context.close()
    elsewhere = [
        url for url in asked if not url.startswith(("http://127.0.0.1:", "data:", "blob:"))
    ]
    assert asked
    assert not elsewhere
    assert not forbidden


def breaches(said):
    """What a browser says in its console of a Content-Security-Policy that was not kept to."""
    return [said] if "Content Security Policy" in said else []
