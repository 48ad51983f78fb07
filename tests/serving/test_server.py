"""The API as people run it: a process of its own, a real port, real signals."""

import gzip
import json
import os
import shutil
import signal
import socket
import subprocess
import sys

import pytest
from support import running_server
from support.clients import FILE, PIXELS, TEXT, form, part
from support.running_server import (
    RunningServer,
    command_of,
    free_port,
    is_running,
    picture_file,
    wait_until,
)

from imagette import ImagetteError
from imagette.serving.ports import is_up
from imagette.serving.server import serve
from imagette.serving.settings import Settings


def send_raw(port, request: bytes, hang_up=True) -> bytes:
    """Send bytes as they are, say that no more come (if wanted), and give all that comes back."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(request)
        if hang_up:
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        while received := connection.recv(65536):
            answer += received
        return answer


def assert_ends(server, status=0, words="", processes=()):
    """See that it ends, or has ended, with these words, no traceback, and none of the processes."""
    ended, printed = server.finish()
    assert ended == status, printed
    assert words in printed
    assert "Traceback" not in printed
    assert status or "ERROR" not in printed
    assert not any(map(is_running, processes))
    return printed


def test_answers_until_sigterm_and_leaves_nothing(start_server):
    server = start_server().wait_until_ready()
    assert f"http://127.0.0.1:{server.port}" in server.printed

    status, headers, body = server.ask(
        "POST", "/predict", picture_file(), {"Content-Type": "image/png"}
    )
    assert status == 200
    assert headers["Content-Type"] == "application/json"
    assert json.loads(body)["class"]
    assert server.ask("GET", "/nothing")[0] == 404

    workers = server.descendants()
    assert len(workers) >= 2
    server.process.send_signal(signal.SIGTERM)
    assert_ends(server, processes=workers)


@pytest.fixture
def with_page(start_server):
    """A server with the page, and the processes below it."""
    pytest.importorskip("streamlit")
    server = start_server(ui_port=free_port()).wait_until_ready()
    return server, server.descendants()


def test_ctrl_c_stops_api_and_page(with_page):
    server, others = with_page
    assert f"http://127.0.0.1:{server.ui_port}" in server.printed
    os.killpg(server.process.pid, signal.SIGINT)  # what a terminal does
    assert_ends(server, processes=others)


def test_when_the_page_never_answers_all_stops_and_says_why(start_server, monkeypatch):
    pytest.importorskip("streamlit")
    never = """
from imagette.serving import webapp_process
webapp_process.is_up = lambda *_: False
webapp_process._SECONDS_TO_START = 2
"""
    monkeypatch.setattr(running_server, "PROGRAM", never + running_server.PROGRAM)
    server = start_server(ui_port=free_port())
    printed = assert_ends(server, 1, f"does not answer at http://127.0.0.1:{server.ui_port}")
    assert "Imagette is ready" not in printed


def test_when_the_page_dies_the_api_goes_on_and_the_page_comes_back(with_page):
    server, others = with_page

    def page():
        return [pid for pid in server.descendants() if "imagette.webapp" in command_of(pid)]

    (killed,) = page()
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: not is_running(killed))
    assert server.ask("GET", "/healthz")[0] == 200
    wait_until(lambda: is_up("127.0.0.1", server.ui_port, "/_stcore/health"))
    assert page() != [killed]
    assert server.ask("GET", "/healthz")[0] == 200
    server.process.send_signal(signal.SIGTERM)
    told = "The web page stopped by itself (signal 9). It is started again in 1 s."
    printed = assert_ends(server, 0, told, [*others, *page()])
    assert printed.count("stopped by itself") == 1


def test_a_page_that_does_not_start_at_all_ends_the_command(start_server, monkeypatch):
    pytest.importorskip("streamlit")
    never = """
from imagette.serving import webapp_process
webapp_process._PROGRAM = "no_such_module"
"""
    monkeypatch.setattr(running_server, "PROGRAM", never + running_server.PROGRAM)
    server = start_server(ui_port=free_port())
    printed = assert_ends(server, 1, "The web page stopped before it was ready")
    assert "Imagette is ready" not in printed


def test_a_killed_parent_leaves_nothing_behind(with_page):
    server, others = with_page
    server.process.kill()
    wait_until(lambda: not any(map(is_running, others)))


@pytest.fixture(scope="module")
def server(bundle_path):
    """A server that goes on, for the tests that do not stop it."""
    running = RunningServer(bundle_path, IMAGETTE_MAX_UPLOAD_BYTES="100000")
    try:
        yield running.wait_until_ready()
    finally:
        running.kill()


def kind_of_raw(answer: bytes) -> str:
    return json.loads(answer.partition(b"\r\n\r\n")[2])["type"].rpartition(":")[2]


def test_forms_by_hand(server):
    """As bytes on the wire: no boundary, cut short, and in chunks."""
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    head += b"Content-Type: multipart/form-data"
    whole, cut = form(part("file")), form(part("file"), end=b"")
    for start, body in (
        (head, whole),
        (head + b"; boundary=b", whole),
        (head + b"; boundary=other", whole),
        (head + b"; boundary=b\r\nExpect: 100-continue", whole),
    ):
        length = b"\r\nContent-Length: %d\r\n\r\n" % len(body)
        assert b"HTTP/1.1 200" in send_raw(server.port, start + length + body, hang_up=False)
    chunks = b"".join(b"%x\r\n%s\r\n" % (1, body[i : i + 1]) for i in range(len(body)))
    chunked = head + b"; boundary=b\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = send_raw(server.port, chunked + chunks + b"0\r\n\r\n", hang_up=False)
    assert b"HTTP/1.1 200" in answer

    length = b"; boundary=b\r\nContent-Length: %d\r\n\r\n"
    answer = send_raw(server.port, head + length % len(cut) + cut, hang_up=False)
    assert b"cut short" in answer
    assert kind_of_raw(answer) == "bad-request"
    answer = send_raw(server.port, head + length % len(whole) + cut)  # and hung up
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4")


def test_curl(server, tmp_path):
    if not shutil.which("curl"):
        pytest.skip("curl is not installed")
    (tmp_path / "a.png").write_bytes(FILE)
    (tmp_path / "a.png.gz").write_bytes(gzip.compress(FILE))
    (tmp_path / "a.json").write_text(json.dumps({"instances": [{"b64": TEXT}]}))
    (tmp_path / "a.txt").write_text(TEXT)
    form_of_text = "image=" + TEXT.replace("+", "%2B")
    for options in (
        ["-F", "file=@a.png"], ["-F", "images[]=@a.png", "-F", "images[]=@a.png"],
        ["-F", "image=<a.txt"], ["--data-binary", "@a.png"], ["-d", "@a.json"],
        ["-d", form_of_text],
        ["--data-binary", "@a.txt", "-H", "Content-Type: text/plain"],
        ["--data-binary", "@a.png.gz", "-H", "Content-Encoding: gzip"],
        ["-F", "file=@a.png", "-H", "Content-Type: multipart/form-data"],
        ["-F", "file=@a.png", "-H", "Transfer-Encoding: chunked"],
        ["-F", "file=@a.png", "-H", "Expect: 100-continue"], ["-T", "a.png", "-X", "POST"],
    ):  # fmt: skip
        address = f"http://127.0.0.1:{server.port}/predict"
        command = ["curl", "-sS", "--max-time", "30", *options, address]
        answer = json.loads(subprocess.check_output(command, cwd=tmp_path))
        assert answer.keys() & {"class", "predictions"}, (options, answer)
    answer = json.loads(
        subprocess.check_output(["curl", "-sS", "-d", "@a.png", address], cwd=tmp_path)
    )
    assert "--data-binary" in answer["detail"]


def test_requests(server):
    requests = pytest.importorskip("requests")
    address = f"http://127.0.0.1:{server.port}/predict"
    for options in (
        {"files": {"file": FILE}}, {"files": [("files", FILE), ("files", FILE)]}, {"data": FILE},
        {"files": {"file": FILE}, "headers": {"Content-Type": "multipart/form-data"}},
        {"data": iter([FILE[:100], FILE[100:]])}, {"json": {"image": TEXT}},
        {"data": {"image": TEXT}}, {"data": json.dumps({"inputs": TEXT})},
        {"data": FILE, "headers": {"Content-Type": "application/json"}},
        {"json": {"instances": [PIXELS.tolist()]}}, {"json": json.dumps({"image": TEXT})},
    ):  # fmt: skip
        answer = requests.post(address, timeout=30, **options)
        assert answer.ok, (options.keys(), answer.text)


FETCH = """
const [address, text] = process.argv.slice(1);
const file = new Blob([Buffer.from(text, "base64")], { type: "image/png" });
const form = new FormData();
form.append("file", file, "a.png");
const bodies = [
  form, file, await file.arrayBuffer(), JSON.stringify({ image: `data:image/png;base64,${text}` }),
  new URLSearchParams({ image: text }),
];
for (const body of bodies) {
  const answer = await fetch(address, { method: "POST", body });
  if (!answer.ok) throw new Error(await answer.text());
}
const wrong = { method: "POST", body: form, headers: { "Content-Type": "multipart/form-data" } };
if (!(await fetch(address, wrong)).ok) throw new Error("a form without its boundary");
"""


def test_fetch(server):
    if not shutil.which("node"):
        pytest.skip("Node.js is not installed")
    address = f"http://127.0.0.1:{server.port}/predict"
    command = ["node", "--input-type=module", "-e", FETCH, "--", address, TEXT]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_a_killed_worker_is_replaced(server):
    workers = server.descendants()
    os.kill(workers[0], signal.SIGKILL)
    wait_until(lambda: len(set(server.descendants()) - set(workers)) == 1)
    wait_until(lambda: all(server.ask("GET", "/healthz")[0] == 200 for _ in range(4)))


def test_hostile_connections_do_not_harm_the_others(server):
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: image/png\r\n"
    chunked = head + b"Transfer-Encoding: chunked\r\n\r\n"
    for request in (
        head + b"Content-Length: 1000\r\n\r\nabc",  # fewer bytes than promised
        head + b"Content-Length: 2\r\n\r\nabcdef",  # more bytes than promised
        head + b"Content-Length: -1\r\n\r\nabc",
        head + b"Content-Length: many\r\n\r\nabc",
        chunked + b"3\r\nabc\r\n0\r\n\r\n",
        chunked + b"zz\r\nabc\r\n0\r\n\r\n",
        chunked + b"ff\r\nabc",
        b"nonsense\r\n\r\n",
    ):
        answer = send_raw(server.port, request)
        assert answer == b"" or answer.startswith(b"HTTP/1.1 4"), answer
    assert server.ask("GET", "/healthz")[0] == 200

    as_png = {"Content-Type": "image/png"}
    large = b"\x89PNG" + b"x" * 200_000
    for body in (large, iter([large])):  # http.client sends an iterator in chunks
        status, _, answer = server.ask("POST", "/predict", body, as_png)
        assert status == 413
        assert json.loads(answer)["type"].endswith(":request-too-large")

    good = picture_file()
    assert server.ask("POST", "/predict", iter([good[:50], good[50:]]), as_png)[0] == 200


@pytest.mark.parametrize("taken", ["port", "ui_port"])
def test_a_port_in_use_is_told(bundle_path, taken):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        ports = {"port": free_port(), "ui_port": free_port()} | {taken: port}
        option = f"--{taken.replace('_', '-')}"
        with pytest.raises(ImagetteError, match=f"port {port} is in use.* with {option}"):
            serve(Settings(model=bundle_path), ui=True, **ports)


def test_two_servers_cannot_share_a_port(server, start_server):
    assert_ends(start_server(port=server.port), 1, "in use")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"port": 0}, "no port 0"),
        ({"port": 70000}, "no port 70000"),
        ({"host": "no.such.host.invalid"}, r"no address called no\.such\.host\.invalid"),
        ({"host": "192.0.2.1"}, "not an address of this machine"),
        ({"ui": True, "port": 5999, "ui_port": 5999}, "cannot both"),
    ],
)
def test_addresses_that_cannot_be_listened_on(bundle_path, options, words):
    with pytest.raises(ImagetteError, match=words):
        serve(Settings(model=bundle_path), **options)


@pytest.mark.parametrize("option", ["--feedback", "--lessons-dir"])
def test_a_folder_that_cannot_be_used_is_told_before_anything_starts(bundle_path, tmp_path, option):
    path = tmp_path / "file"
    path.write_bytes(b"")
    name = option.removeprefix("--").replace("-", "_")
    settings = Settings(model=bundle_path, teach=option == "--lessons-dir", **{name: path})
    with pytest.raises(ImagetteError, match=option):
        serve(settings, port=free_port())


def test_a_missing_or_damaged_model_is_told_before_anything_starts(start_server, tmp_path):
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(b"not an ONNX file")
    for model in (tmp_path / "missing.onnx", damaged):
        assert "worker" not in assert_ends(start_server(model), 1, model.name)


def test_without_streamlit_the_page_says_what_to_install(bundle_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "streamlit", None)
    with pytest.raises(ImagetteError, match=r"pip install 'imagette\[webapp\]'"):
        serve(Settings(model=bundle_path), port=free_port(), ui=True, ui_port=free_port())
