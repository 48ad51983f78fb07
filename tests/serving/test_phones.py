"""How phones find the page: what the terminal tells, `/qr`, and HTTPS, of the real processes."""

import http.client
import re
import socket
import ssl
import sys
from html import escape

import pytest
from support.command_line import imagette_here
from support.networks import lan_address, pretend
from support.running_server import free_port, is_listening, wait_until
from support.screen import Screen

pytest.importorskip("streamlit", reason="the page needs imagette[webapp]")
pytest.importorskip("cryptography", reason="the page needs imagette[webapp]")

import segno

from imagette import ImagetteError
from imagette.serving.phones import lines_for_phones
from imagette.serving.ports import check_free
from imagette.serving.webapp_process import WebappProcess
from imagette.webapp.texts import TEXTS

NOWHERE = "http://127.0.0.1:1"
TITLE = "Tri <b>& co"
EN, FR = TEXTS["en"], TEXTS["fr"]


def make_page(address, base_path="", https=False):
    https_port = free_port() if https else 0
    return WebappProcess(
        address, free_port(), NOWHERE, 10_000_000, "", base_path, https_port, TITLE
    )


@pytest.fixture(scope="module")
def secure_page():
    """A page that speaks HTTPS too, below a path, running."""
    lan_address()
    page = make_page("0.0.0.0", "/imagette", https=True)
    page.start()
    try:
        wait_until(page.is_ready)
        yield page
    finally:
        page.stop()
    assert not is_listening(page.port)
    assert not is_listening(page.https_port)


def get(page, path, host="127.0.0.1", secure=False, **headers):
    """The answer at a path of the page: status, headers and text."""
    if secure:
        context = ssl.create_default_context(cafile=own(page))
        connection = http.client.HTTPSConnection(host, page.https_port, context=context)
    else:
        connection = http.client.HTTPConnection(host, page.port, timeout=30)
    try:
        headers = {name.replace("_", "-"): text for name, text in headers.items()}
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()
    finally:
        connection.close()


def own(page):
    """The path of the page's certificate."""
    return re.search(r'"certificate": "([^"]+)"', page._options)[1]


def told(html):
    """The large address of the page for projectors, after a look that the code holds it too."""
    (address,) = re.findall('<p class="address">(.+?)</p>', html)
    address = address.replace("<wbr>", "")
    code = segno.make_qr(address, error="m").svg_inline(
        border=4, scale=8, omitsize=True, light="#fff"
    )
    assert code in html
    return address


def test_https_is_of_the_certificate_at_every_name(secure_page):
    for host in ("127.0.0.1", "localhost", lan_address()):  # a client would refuse another one
        assert get(secure_page, "/imagette/_stcore/health", host, secure=True)[0] == 200
    assert get(secure_page, "/imagette/_stcore/health")[0] == 200  # as ever


def test_the_page_for_projectors(secure_page):
    lan = lan_address()
    address = f"https://{lan}:{secure_page.https_port}/imagette"
    plain = f"http://{lan}:{secure_page.port}/imagette"
    for host, secure in (("127.0.0.1", False), (lan, False), (lan, True)):
        status, headers, html = get(secure_page, "/imagette/qr", host, secure)
        assert status == 200
        assert told(html) == address
        assert plain in html  # for phones that do not get on
        assert all(step in html for step in (EN.qr_chrome, EN.qr_safari, EN.qr_firefox))
        assert "<script" not in html
        assert "default-src 'self'" in headers["Content-Security-Policy"]
        assert headers["Cache-Control"] == "no-store"
    asked = get(secure_page, "/imagette/qr", Host=f"room-12.local:{secure_page.port}")[2]
    assert told(asked) == f"https://room-12.local:{secure_page.https_port}/imagette"


def test_the_page_for_projectors_speaks_both_languages(secure_page):
    french = {"Accept_Language": "de;q=1, fr-CH, en;q=0.5"}
    for path, headers, texts in (
        ("/imagette/qr", {}, EN),
        ("/imagette/qr", french, FR),
        ("/imagette/qr?lang=en", french, EN),
        ("/imagette/qr?lang=fr", {}, FR),
    ):
        html = get(secure_page, path, **headers)[2]
        assert texts.qr_title in html
        assert f"<header>{escape(TITLE)}</header>" in html
        assert f'<html lang="{texts.language}">' in html


@pytest.mark.parametrize(
    "host", ['"><script>alert(1)</script>', "a b", "evil.example/..%2f", "x" * 70_000, ""]
)
def test_whatever_is_asked_for_is_no_markup(secure_page, host):
    with socket.create_connection(("127.0.0.1", secure_page.port), timeout=30) as connection:
        request = f"GET /imagette/qr HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        connection.sendall(request.encode())
        answer = b""
        while part := connection.recv(65536):
            answer += part
    assert b"<script" not in answer
    assert answer.startswith(b"HTTP/1.1 4") or lan_address().encode() in answer


@pytest.mark.slow
def test_behind_a_proxy_the_public_address_is_shown(monkeypatch):
    page = make_page("127.0.0.1")
    behind = {
        "Host": "www.example.org", "X_Forwarded_Proto": "https", "X_Forwarded_Prefix": "/lesson",
    }  # fmt: skip
    # This process' environment is the page's.
    monkeypatch.setitem(page._environment, "IMAGETTE_TRUSTED_PROXIES", "1")
    page.start()
    try:
        wait_until(page.is_ready)
        assert told(get(page, "/qr", **behind)[2]) == "https://www.example.org/lesson"
        assert EN.qr_only_here in get(page, "/qr")[2]
    finally:
        page.stop()


TELL = """
import sys
from imagette.serving.phones import tell_phones
from imagette.serving.webapp_process import WebappProcess
tell_phones(WebappProcess("0.0.0.0", 8501, "http://127.0.0.1:1", 1, "", "/x", int(sys.argv[1])))
"""
DARK = {" ": (False, False), "▀": (True, False), "▄": (False, True), "█": (True, True)}


def codes(terminal):
    """What is dark of the QR codes that a terminal shows, in rows of modules."""
    black_on_white = "\x1b[38;5;16;48;5;231m"
    rows = re.findall(re.escape(black_on_white) + "([ ▀▄█]+)\x1b", terminal.text)
    return [[DARK[one][half] for one in row] for row in rows for half in (0, 1)]


def matrix(address):
    """What is dark of the QR code of an address."""
    code = segno.make_qr(address, error="l").matrix_iter(border=2)
    return [[bool(module) for module in row] for row in code]


@pytest.mark.parametrize("https_port", [0, 8443])
def test_a_terminal_shows_a_code_that_is_black_on_white(https_port):
    lan = lan_address()
    with Screen([sys.executable, "-c", TELL, str(https_port)]) as terminal:
        assert terminal.finish() == 0
    address = f"https://{lan}:8443/x" if https_port else f"http://{lan}:8501/x"
    assert f"Phones in the same network: {address}\n" in terminal.words
    assert "http://127.0.0.1:8501/x/qr" in terminal.words
    expected = matrix(address)
    shown = codes(terminal)
    assert shown[: len(expected)] == expected
    assert not any(map(any, shown[len(expected) :]))
    if https_port:
        assert "Advanced, then Proceed to" in terminal.words
        assert f"iPhones: http://{lan}:8501/x," in terminal.words
    else:
        assert "not use the live camera" in terminal.words
        assert "start it again with --https" in terminal.words


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {"COLUMNS": "20"}])
def test_where_no_code_could_be_read_none_is_shown(environment):
    lan = lan_address()
    with Screen([sys.executable, "-c", TELL, "0"], **environment) as terminal:
        assert terminal.finish() == 0
    assert f"http://{lan}:8501/x" in terminal.words.replace("\n", "")
    assert not set("▀▄█") & set(terminal.words)


def test_elsewhere_than_in_a_terminal_it_is_one_line(monkeypatch):
    page = make_page("0.0.0.0")
    pretend(monkeypatch, {"wlan0": ["192.168.1.7"], "wlan1": ["10.42.0.1"]}, "10.42.0.1")
    (line,) = lines_for_phones(page)
    assert line.endswith(f" http://10.42.0.1:{page.port}")
    pretend(monkeypatch, {"lo": ["127.0.0.1"]})
    (line,) = lines_for_phones(page)
    assert "on no network" in line
    assert lines_for_phones(make_page("127.0.0.1")) == []


def test_https_for_nobody_is_told():
    with pytest.raises(ImagetteError, match="only this computer reaches the page") as told:
        make_page("127.0.0.1", https=True)
    assert "--host 0.0.0.0" in told.value.remedy
    said = imagette_here("serve", "--https")
    assert said.returncode == 1
    assert "Add --ui" in said.stderr


@pytest.mark.parametrize("command", [["demo"], ["serve", "--ui"], ["page"]])
def test_a_port_that_is_taken_is_told_with_the_option_for_another(command):
    with socket.create_server(("0.0.0.0", 0)) as other:
        taken = str(other.getsockname()[1])
        page_alone = command == ["page"]
        ports = (
            ["--port", "--https-port"] if page_alone else ["--port", "--ui-port", "--https-port"]
        )
        for option in ports:
            chosen = {one: str(free_port()) for one in ports} | {option: taken}
            words = [word for pair in chosen.items() for word in pair]
            said = imagette_here(*command, "--host", "0.0.0.0", "--https", *words)
            assert said.returncode == 1
            assert f"The port {taken} is in use by another program." in said.stderr
            assert f"choose another port with {option}." in said.stderr


def test_a_port_of_airplay_is_told_as_such():
    """Whatever has it: this test, or another program of this machine."""
    try:
        holder = socket.create_server(("0.0.0.0", 5000))
    except OSError:
        holder = socket.socket()
    with holder, pytest.raises(ImagetteError, match=r"port 5000 is in use .*AirPlay"):
        check_free("127.0.0.1", 5000, "--port")


def test_who_listens_at_all_addresses_has_the_port_on_macos_too(monkeypatch):
    """There, one address of a port may be listened on beside all of them; so may it be here, where
    that is asked for."""
    bind = socket.socket.bind

    def as_on_macos(self, address):
        if self.family == socket.AF_INET and address[1]:
            address = (address[0], 0)
        bind(self, address)

    with socket.create_server(("0.0.0.0", 0)) as airplay:
        port = airplay.getsockname()[1]
        monkeypatch.setattr(socket.socket, "bind", as_on_macos)
        with pytest.raises(ImagetteError, match="in use"):
            check_free("127.0.0.1", port, "--port")
