"""Files from addresses: what comes, what is refused, and from where nothing is fetched."""

import shutil
import socket
import subprocess

import pytest
from support.images import noise
from support.web_files import web_files

from imagette.errors import ImageError
from imagette.images import download as module
from imagette.images.download import MAX_REDIRECTS, download

CAT = noise(1)


@pytest.fixture(scope="module")
def server():
    with web_files({"cat.png": CAT, "mit Leerzeichen é.png": CAT, "a%2Fb.png": CAT}) as server:
        yield server


def fetch(address):
    return download(address, allow_private=True)


@pytest.mark.parametrize(
    "path", ["/cat.png", "/chunked", "/cat.png#part", "/to/?/cat.png", "/to/cat.png"]
)
def test_a_file_comes_as_it_is_whatever_the_server_calls_it(server, path):
    assert fetch(server.address + path) == CAT


def test_an_address_is_sent_as_the_network_writes_it(server):
    server.asked.clear()
    for path in ("/é ü.png?a=é b", "/%C3%A9.png"):
        with pytest.raises(ImageError):
            fetch(server.address + path)
    assert server.asked == ["/%C3%A9%20%C3%BC.png?a=%C3%A9%20b", "/%C3%A9.png"]


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/none.png", "there is nothing (404 Not Found)"),
        ("/forbidden", "its server gives it to some people only (403 Forbidden)"),
        ("/page", "it is a web page, not a picture"),
        ("/loop", f"it leads on more than {MAX_REDIRECTS} times"),
        ("/to/?ftp://example.org/cat.png", "it leads on to ftp://example.org/cat.png, which is no"),
        ("/to/?file:///etc/passwd", "it leads on to file:///etc/passwd, which is no address"),
        ("/broken", "its server breaks off, or answers with what is no HTTP"),
        ("/no-http", "its server breaks off, or answers with what is no HTTP"),
    ],
)
def test_what_cannot_be_fetched_is_told_in_a_sentence(server, path, why):
    with pytest.raises(ImageError) as raised:
        fetch(server.address + path)
    assert raised.value.problem.startswith(f"{server.address}{path} cannot be fetched: {why}")
    assert raised.value.problem.count("\n") == 0
    assert raised.value.remedy.endswith(".")


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("http://", "names no server"),
        ("http://[::1/x", "names no server"),
        ("http://localhost:99999/", "names no server"),
        (f"http://{'x' * 70}.org/", "names no server"),
        ("http://nowhere.invalid/x.png", "the name of its server is not known"),
        ("https://localhost:1/x.png", "nothing answers there"),
    ],
)
def test_where_nothing_can_be(address, why):
    with pytest.raises(ImageError, match=why):
        fetch(address)


@pytest.mark.parametrize("path", ["/cat.png", "/endless"])
def test_what_is_too_large_is_not_read_to_its_end(server, monkeypatch, path):
    monkeypatch.setattr(module, "MAX_BYTES", 1000)
    with pytest.raises(ImageError, match="it is larger than"):
        fetch(server.address + path)


@pytest.mark.parametrize("path", ["/slow-head", "/slow-body"])
def test_what_comes_drop_by_drop_is_given_up(server, monkeypatch, path):
    monkeypatch.setattr(module, "SECONDS", 0.5)
    with pytest.raises(ImageError, match="it takes longer than"):
        fetch(server.address + path)


def test_a_server_that_says_nothing_is_given_up(monkeypatch):
    monkeypatch.setattr(module, "_SILENT_SECONDS", 0.2)
    for scheme in ("http", "https"):
        said_nothing = pytest.raises(ImageError, match="its server said nothing for")
        with socket.create_server(("127.0.0.1", 0)) as silent, said_nothing:
            fetch(f"{scheme}://127.0.0.1:{silent.getsockname()[1]}/x.png")


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.9.9.9", "localhost", "0.0.0.0", "0", "2130706433", "0x7f.1", "10.0.0.1",
        "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254", "224.0.0.1", "240.0.0.1",
        "255.255.255.255", "[::1]", "[::]", "[fe80::1]", "[fc00::1]", "[ff02::1]",
        "[::ffff:127.0.0.1]", "[::ffff:10.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]",
        "[::127.0.0.1]", "[2001:db8::1]", "[2001::1]",
    ],
)  # fmt: skip
def test_nothing_is_fetched_from_this_machine_or_a_private_network(server, host):
    server.asked.clear()
    with pytest.raises(ImageError, match=r"it leads to [\d.:a-f]+, which is this machine or in"):
        download(f"http://{host}:{server.server_port}/cat.png")
    assert server.asked == []


@pytest.mark.parametrize(
    "host", ["8.8.8.8", "2606:4700::1111", "64:ff9b::808:808", "::ffff:1.1.1.1"]
)
def test_the_internet_is_no_private_network(host):
    assert module._is_public(host)


def test_a_redirect_leads_to_no_private_network_either(server, monkeypatch):
    """The first server counts as one of the internet; the one that it names does not."""
    monkeypatch.setattr(module, "_is_public", lambda host: host == "127.0.0.1")
    server.asked.clear()
    with pytest.raises(ImageError, match=r"http://\[::1\]:\d+/cat.png cannot be fetched: it leads"):
        download(f"{server.address}/to/?http://[::1]:{server.server_port}/cat.png")
    assert len(server.asked) == 1


def test_a_name_is_asked_for_once_so_it_cannot_become_another(server, monkeypatch):
    asked = []

    def answer(host, port, **_):
        asked.append(host)
        where = "127.0.0.1" if len(asked) > 1 else "203.0.113.9"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (where, port))]

    connected = []
    monkeypatch.setattr(socket, "getaddrinfo", answer)
    monkeypatch.setattr(module, "_is_public", lambda host: host == "203.0.113.9")

    class Socket(socket.socket):
        def connect(self, where):
            connected.append(where)
            raise ConnectionRefusedError

    monkeypatch.setattr(module.socket, "socket", Socket)
    with pytest.raises(ImageError, match="nothing answers there"):
        download(f"http://rebinding.example:{server.server_port}/cat.png")
    assert asked == ["rebinding.example"]
    assert connected == [("203.0.113.9", server.server_port)]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """Of a server called localhost, signed by itself."""
    if not shutil.which("openssl"):
        pytest.skip("openssl makes the certificate")
    folder = tmp_path_factory.mktemp("certificate")
    files = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
         "-out", files[0], "-keyout", files[1]],
        check=True, capture_output=True,
    )  # fmt: skip
    return files


def test_a_secure_server_must_be_the_one_that_it_says(certificate, monkeypatch):
    with web_files({"cat.png": CAT}, certificate) as server:
        with pytest.raises(ImageError, match="the certificate of its server is not to be trusted"):
            fetch(f"{server.address}/cat.png")
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
        assert fetch(f"{server.address}/cat.png") == CAT
        with pytest.raises(ImageError, match="not to be trusted"):  # it is for another name
            fetch(f"{server.address}/cat.png".replace("localhost", "127.0.0.1"))
        with pytest.raises(ImageError, match="cannot be fetched"):
            fetch(f"{server.address}/cat.png".replace("https", "http"))
