"""API and page under a path of one public address, behind a real nginx that is configured as the
how-to page shows it."""

import http.client
import json
import re

import pytest
from support.acting import drop, press
from support.nginx import running_nginx
from support.running_server import RunningServer, free_port, picture_file
from support.shown import DOCS, code_blocks, read

from imagette.serving.app import create_app
from imagette.serving.settings import Settings
from imagette.webapp.texts import TEXTS

EN = TEXTS["en"]
BLOCKS = [
    code
    for language, code in code_blocks(read(DOCS / "how-to" / "serve-under-a-path.md"))
    if language == "nginx"
]
# How the commands beside the two blocks start the server.
OPTIONS = [
    {"IMAGETTE_BASE_PATH": "/imagette", "STREAMLIT_SERVER_BASE_URL_PATH": "elsewhere"},
    {"IMAGETTE_TRUSTED_PROXIES": "1"},
]


@pytest.fixture(scope="module")
def public_ports(bundle_path, tmp_path_factory):
    """The ports of an nginx that passes the path on, and of one that takes it off."""
    pytest.importorskip("streamlit", reason="the page needs imagette[webapp]")
    ports = [free_port(), free_port()]
    servers = [
        RunningServer(bundle_path, ui_port=free_port(), **{"IMAGETTE_WORKERS": "1"} | options)
        for options in OPTIONS
    ]
    blocks = [
        block.replace("listen 80", f"listen 127.0.0.1:{port}")
        .replace("127.0.0.1:5000", f"127.0.0.1:{server.port}")
        .replace("127.0.0.1:8501", f"127.0.0.1:{server.ui_port}")
        for block, port, server in zip(BLOCKS, ports, servers, strict=True)
    ]
    try:
        for server in servers:
            server.wait_until_ready()
        with running_nginx(tmp_path_factory.mktemp("nginx"), "".join(blocks), ports[0]):
            yield ports
    finally:
        for server in servers:
            server.process.terminate()
        for server in servers:
            server.finish()


@pytest.fixture(params=[0, 1], ids=["passed on", "taken off"])
def public_port(request, public_ports):
    return public_ports[request.param]


def ask(port, method, path, body=None, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def test_the_page_answers_under_the_path(open_page, public_port, expect):
    page = open_page(public_port, path="imagette")
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    drop(page, "dropped.png", picture_file())
    expect(page.locator(".imagette-bars li")).to_have_count(10)

    press(page.get_by_role("link", name=EN.page_model))
    page.wait_for_url("**/imagette/about")
    page.reload()
    current = page.locator(".st-key-pages [aria-current=page]")
    expect(current).to_have_text(EN.page_model)
    press(page.get_by_role("link", name=EN.page_predict))
    expect(current).to_have_text(EN.page_predict)
    page.goto(f"http://127.0.0.1:{public_port}/imagette/about/")
    page.wait_for_url("**/imagette/about")
    own = f"http://127.0.0.1:{public_port}/imagette/"
    assert asked
    assert not [url for url in asked if not url.startswith((own, "data:", "blob:"))]


def test_the_api_answers_under_the_path(public_port):
    kind = {"Content-Type": "image/png"}
    status, answer = ask(public_port, "POST", "/imagette/predict", picture_file(), kind)
    assert status == 200
    assert json.loads(answer)["class"]
    assert ask(public_port, "GET", "/imagette/metrics")[0] == 404
    document = json.loads(ask(public_port, "GET", "/imagette/openapi.json")[1])
    assert document["servers"] == [{"url": "/imagette"}]


def test_the_api_can_be_tried_under_the_path(browser, public_port):
    page = browser.new_page()
    try:
        page.goto(f"http://127.0.0.1:{public_port}/imagette/docs")
        operation = page.locator(".opblock", has_text="/healthz")
        operation.click()
        operation.get_by_role("button", name="Try it out").click()
        operation.get_by_role("button", name="Execute").click()
        response = operation.locator(".live-responses-table")
        response.get_by_text('"status": "ok"').wait_for()
        asked = operation.locator(".request-url pre").inner_text()
        assert asked == f"http://127.0.0.1:{public_port}/imagette/healthz"
    finally:
        page.close()


def test_the_configuration_names_every_address_of_the_api(bundle_path):
    app = create_app(Settings(model=bundle_path))
    names = {rule.rule.split("/")[1] for rule in app.url_map.iter_rules()} | {"lessons"}
    names -= {"", "metrics"}  # what watches the server asks it directly
    assert len(BLOCKS) == len(OPTIONS)
    for block in BLOCKS:
        listed = re.search(r"\^/imagette/\(([^)]+)\)", block)[1].replace("\\", "")
        assert set(listed.split("|")) == names
