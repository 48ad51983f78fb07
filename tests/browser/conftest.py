"""The real page, in a real headless Chromium."""

import pytest
from running_server import RunningServer, free_port


@pytest.fixture(scope="session")
def server(bundle_path):
    """API and page, running; the same for all tests that do not stop them."""
    pytest.importorskip("streamlit", reason="the page needs imagette[webapp]")
    running = RunningServer(bundle_path, ui_port=free_port(), IMAGETTE_MAX_UPLOAD_BYTES="300000")
    try:
        yield running.wait_until_ready()
    finally:
        running.process.terminate()
        running.kill()


@pytest.fixture
def open_page(browser):
    """A function that opens the page as a browser of some language does.

    The page must not ask anything of any other machine: that is checked when the test ends.
    """
    contexts, asked = [], []

    def open_it(ui_port, language="en-US", width=1280):
        context = browser.new_context(locale=language, viewport={"width": width, "height": 900})
        contexts.append(context)
        context.set_default_timeout(20_000)
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"http://127.0.0.1:{ui_port}")
        return page

    yield open_it
    for context in contexts:
        context.close()
    elsewhere = [
        url for url in asked if not url.startswith(("http://127.0.0.1:", "data:", "blob:"))
    ]
    assert asked
    assert not elsewhere
