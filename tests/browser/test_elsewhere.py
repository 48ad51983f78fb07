"""What the documentation shows of other programs, in a real Chromium: the API called from a page of
another site, and a model that the browser runs by itself."""

import re
import shutil
import subprocess
import sys
import tarfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from support.running_server import RunningServer, free_port
from support.shown import DOCS, code_blocks

ALONE = code_blocks((DOCS / "how-to" / "use-without-imagette.md").read_text(encoding="utf-8"))
CALLS = code_blocks((DOCS / "how-to" / "call-the-api.md").read_text(encoding="utf-8"))
CAT = Path(__file__).parents[2] / "src" / "imagette" / "assets" / "samples" / "cat.png"
MODEL = CAT.parents[1] / "cifar10.onnx"


def blocks(page, wanted):
    return [code for language, code in page if language == wanted]


@pytest.fixture
def site(tmp_path):
    """A folder and the address that it is served at."""
    handler = partial(SimpleHTTPRequestHandler, directory=tmp_path)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield tmp_path, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="session")
def onnxruntime_web(tmp_path_factory):
    """The package that the page names, as npm has it; only what is in it is needed."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    [package] = re.findall(r"npm install (\S+)", "".join(blocks(ALONE, "sh")))
    folder = tmp_path_factory.mktemp("npm")
    packed = subprocess.run(
        ["npm", "pack", "--silent", package],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=200,
    )
    if packed.returncode:
        pytest.skip(f"npm cannot get {package}: {packed.stderr[-300:]}")
    with tarfile.open(folder / packed.stdout.split()[-1]) as archive:
        archive.extractall(folder, filter="data")
    return folder / "package"


def test_a_browser_runs_the_model(site, onnxruntime_web, browser):
    folder, address = site
    (folder / "node_modules").mkdir()
    (folder / "node_modules" / "onnxruntime-web").symlink_to(onnxruntime_web)
    shutil.copy(MODEL, folder / "model.onnx")
    [command] = re.findall(r"^python -c .*$", "".join(blocks(ALONE, "sh")), re.M)
    command = command.replace("python", sys.executable, 1)
    subprocess.run(["sh", "-c", command], cwd=folder, check=True)
    [page] = blocks(ALONE, "html")
    (folder / "index.html").write_text(page, encoding="utf-8")

    shown = browser.new_page()
    shown.goto(address, wait_until="networkidle")
    shown.set_input_files("input", CAT)
    shown.wait_for_function("document.querySelector('output').textContent", timeout=60_000)

    assert re.fullmatch(r"cat, \d+%", shown.inner_text("output"))


def test_python_runs_the_model(tmp_path):
    shutil.copy(MODEL, tmp_path / "model.onnx")
    shutil.copy(CAT, tmp_path / "cat.png")
    [code] = blocks(ALONE, "python")
    assert "imagette" not in code

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )

    assert re.fullmatch(r"cat, \d+%\n", done.stdout)


def test_a_page_of_another_site_calls_the_api(site, bundle_path, browser):
    folder, address = site
    (folder / "index.html").write_text("<input type='file'><canvas></canvas>", encoding="utf-8")
    server = RunningServer(bundle_path, port=free_port(), IMAGETTE_CORS_ORIGINS=address)
    try:
        server.wait_until_ready()
        page = browser.new_page()
        page.goto(address)
        page.set_input_files("input", CAT)
        calls = blocks(CALLS, "js")
        assert calls
        for code in calls:
            code = code.replace("127.0.0.1:5000", f"127.0.0.1:{server.port}")
            answer = page.evaluate(
                "async () => { const fileInput = document.querySelector('input');"
                " const canvas = document.querySelector('canvas');"
                f" {code}; return response.ok && (response.bodyUsed || await response.json()); }}"
            )
            assert answer
    finally:
        server.process.terminate()
        server.finish()
