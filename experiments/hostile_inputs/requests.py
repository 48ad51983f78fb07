"""Requests made to break an HTTP server or the reader of its requests."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from hostile_inputs import pictures


@dataclass(frozen=True)
class HostileRequest:
    """A well-formed HTTP request, as far as the transport goes, whatever it says.

    Attributes:
        kind: what is hostile in it.
        method: the HTTP method.
        target: path and query, percent-encoded or not.
        headers: names and values, besides Host and those that frame the body.
        body: the body's bytes.
        chunks: lengths of the chunks to send the body in, in turns; empty for one of known length.
    """

    kind: str
    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    chunks: tuple[int, ...] = ()

    def to_bytes(self) -> bytes:
        """The request as it goes over the wire."""
        lines = [f"{self.method} {self.target} HTTP/1.1", "Host: localhost"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        if self.chunks:
            lines.append("Transfer-Encoding: chunked")
        elif self.body or self.method in ("POST", "PUT", "PATCH"):
            lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + self._framed_body()

    def _framed_body(self) -> bytes:
        if not self.chunks:
            return self.body
        parts, start, turn = [], 0, 0
        while start < len(self.body):
            chunk = self.body[start : start + self.chunks[turn % len(self.chunks)]]
            parts.append(b"%x\r\n%b\r\n" % (len(chunk), chunk))
            start, turn = start + len(chunk), turn + 1
        return b"".join(parts) + b"0\r\n\r\n"


_RANDOM = st.integers(0, 2**63).map(Random)
_PICTURE = _RANDOM.map(
    lambda random: (pictures.bomb if random.random() < 0.01 else pictures.damaged)(random)[1]
)
_VALID_PICTURE = _RANDOM.map(lambda random: random.choice(pictures.seeds()))
_ANY_PICTURE = st.one_of(_PICTURE, _VALID_PICTURE)

# What may stand in a header without breaking the frame of the request.
_HEADER_TEXT = st.text(
    st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=60
).map(str.strip)
_TOKEN = st.text(
    "abcdefghijklmnopqrstuvwxyzABCXYZ0123456789-_!#$%&'*+.^`|~", min_size=1, max_size=20
)
_CONTENT_TYPES = st.one_of(
    st.sampled_from([
        "", "image/png", "image/jpeg", "image/x-nothing", "image/", "image", "IMAGE/PNG", "a/b/c",
        "application/octet-stream", "application/json", "application/json; charset=utf-16",
        "application/json; charset=nothing", "application/vnd.x+json", "text/html", "text/plain",
        "application/x-www-form-urlencoded", "multipart/form-data", "multipart/mixed; boundary=x",
        "multipart/form-data; boundary=", 'multipart/form-data; boundary="', "multipart/form-data;"
        " boundary=x; boundary=y", "multipart/form-data; boundary=" + "b" * 300, ";;;", "*/*",
        "multipart/form-data; boundary=\xe9\xe8", "image/png; q=" + "1" * 3000,
    ]),
    _HEADER_TEXT,
)  # fmt: skip
_QUERIES = st.one_of(
    st.sampled_from([
        "", "?seen=1", "?explain=1", "?explain=array", "?explain=png&seen=1", "?seen=", "?seen[]=1",
        "?seen=1&seen=2&seen=%00", "?explain=" + "a" * 2000, "?%", "?%ff=%fe", "?a&b&=&==&&", "??",
        "?" + "&".join(f"a{n}=1" for n in range(1500)), "?seen=1%0d%0aX-Evil:1", "?explain=é",
    ]).map(lambda query: query.encode().decode("latin-1")),
    st.text("abc=&%?0123456789+[]", max_size=40).map(lambda text: "?" + text),
)  # fmt: skip
_CHUNKS = st.lists(st.integers(1, 5000), max_size=3).map(tuple)


@st.composite
def _picture_bodies(draw: DrawFn) -> HostileRequest:
    headers = (("Content-Type", draw(st.sampled_from(["image/png", "application/octet-stream"]))),)
    return HostileRequest("damaged picture", "POST", "/predict" + draw(_QUERIES), headers,
                          draw(_ANY_PICTURE))  # fmt: skip


@st.composite
def _wrong_types(draw: DrawFn) -> HostileRequest:
    headers = [("Content-Type", draw(_CONTENT_TYPES))] * draw(st.sampled_from([1, 1, 1, 2]))
    body = draw(st.one_of(_VALID_PICTURE, st.binary(max_size=200), st.just(b'{"image": 1}')))
    return HostileRequest("content type", "POST", "/predict", tuple(headers), body)


_FIELD_NAMES = st.one_of(
    st.sampled_from(["image", "image", "image", "file", "", "image[]", "image\\", "im\tage",
    "images"]),
    _HEADER_TEXT,
)  # fmt: skip
_FILE_NAMES = st.one_of(
    st.sampled_from([
        "cat.png", "", "../../../etc/passwd", "C:\\Windows\\a.png", "a\\\"b.png", "a" * 5000, ".",
        "..",
        "<script>.png", "été.png".encode().decode("latin-1"), "%00.png", "con", "a.png; filename=b",
    ]),
    _HEADER_TEXT,
)  # fmt: skip
_PART_EXTRAS = st.sampled_from([
    "", "; filename*=utf-8''%e9%zz", "; filename*=utf-16''%ff", "; name=image; name=other",
    "\r\nContent-Transfer-Encoding: base64", "\r\nContent-Length: 5", "\r\nContent-Type: image/png",
    "\r\nContent-Type: text/plain; charset=nothing", "\r\n folded: yes", "\r\nX: " + "y" * 9000,
])  # fmt: skip
_BOUNDARIES = st.sampled_from(["x", "----WebKitFormBoundaryAbC", "a b", "'", "b" * 70, "--", "=_"])


@st.composite
def _part(draw: DrawFn) -> bytes:
    head = f'Content-Disposition: form-data; name="{draw(_FIELD_NAMES)}"'
    if draw(st.booleans()):
        head += f'; filename="{draw(_FILE_NAMES)}"'
    head += draw(_PART_EXTRAS)
    head = draw(st.sampled_from([head, head, head, head, "", "X: y", head.replace(";", ",")]))
    body = draw(st.one_of(_VALID_PICTURE, st.binary(max_size=30), _PICTURE))
    return head.encode("latin-1") + b"\r\n\r\n" + body


@st.composite
def _forms(draw: DrawFn) -> HostileRequest:
    boundary = draw(_BOUNDARIES)
    told = draw(st.sampled_from([boundary] * 6 + [f'"{boundary}"', "other"]))
    parts = draw(st.lists(_part(), max_size=4)) * draw(st.sampled_from([1] * 30 + [20]))
    line = f"--{boundary}".encode()
    newline = draw(st.sampled_from([b"\r\n"] * 8 + [b"\n", b"\r", b""]))
    body = b"".join(line + newline + part + newline for part in parts)
    body += line + draw(st.sampled_from([b"--\r\n"] * 5 + [b"", b"--", b"-- \r\nepilogue"]))
    cut = draw(st.sampled_from([1.0] * 6 + [0.9, 0.5, 0.1]))
    headers = (("Content-Type", f"multipart/form-data; boundary={told}"),)
    return HostileRequest("form", "POST", "/predict" + draw(_QUERIES), headers,
                          body[: int(len(body) * cut)], draw(_CHUNKS))  # fmt: skip


_JSON_LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.floats(0, 1),
    st.sampled_from([1e308, -1e308, 10**400, 5e-324, "", "1"]),
)  # fmt: skip
_JSON_VALUES = st.recursive(
    _JSON_LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.dictionaries(st.one_of(st.just("image"), st.text(max_size=8)), inner, max_size=3),
    ),
    max_leaves=20,
)
_JSON_TEXTS = st.sampled_from([
    b"", b"{", b"null", b"[]", b"{}", b'{"image"}', b'{"image": NaN}', b'{"image": [[[1e999]]]}',
    b"\xef\xbb\xbf{}", b'{"image": "\xff\xfe"}', b'{"image": [], "image": [[[0,0,0]]]}', b"\0" * 9,
    b'{"image": ' + b"[" * 100_000, b"[" * 20_000 + b"]" * 20_000,
    b'{"a":' * 9_000 + b"1" + b"}" * 9_000,
    b'{"image": [[[' + b"9" * 5000 + b"]]]}", b'{"image": [[["\\ud800"]]]}',
    '{"image": 1}'.encode("utf-16"),
    b'{"image": [' + b"[]," * 50_000 + b"[]]}",
    b'{"image": [[' + b"[0.5,0.5,0.5]," * 5000 + b"[0,0,0]]]}",
])  # fmt: skip


@st.composite
def _arrays(draw: DrawFn) -> HostileRequest:
    rows, columns = draw(st.sampled_from([(32, 32)] * 4 + [(31, 32), (32, 31), (1, 1), (33, 40)]))
    value = draw(st.one_of(st.floats(0, 1), _JSON_LEAVES))
    array = [[[0.5, 0.25, 1.0] for _ in range(columns)] for _ in range(rows)]
    row, column = draw(st.integers(0, rows - 1)), draw(st.integers(0, columns - 1))
    array[row][column] = draw(
        st.sampled_from([[value] * 3, [value], [], value, [[value]], [0.5] * 4])
    )
    return _json_request(draw, json.dumps({"image": array}).encode())


@st.composite
def _json_bodies(draw: DrawFn) -> HostileRequest:
    values = st.one_of(_JSON_VALUES, _JSON_VALUES.map(lambda value: {"image": value}))
    texts = values.map(lambda value: json.dumps(value).encode())
    return _json_request(draw, draw(st.one_of(texts, _JSON_TEXTS, st.binary(max_size=50))))


def _json_request(draw: DrawFn, body: bytes) -> HostileRequest:
    headers = (("Content-Type", "application/json"),)
    return HostileRequest("JSON", "POST", "/predict", headers, body, draw(_CHUNKS))


_PATHS = st.one_of(
    st.sampled_from([
        "/", "/predict", "/predict/", "//predict", "/./predict", "/model/../predict", "/%70redict",
        "/../../../../etc/passwd", "/..%2f..%2fetc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/.env",
        "/%00", "/predict%00.png", "/%ff%fe", "/%", "/%zz", "/\xe9", "/healthz", "/readyz",
        "/model",
        "/openapi.json", "/docs", "/docs/../x", "/metrics", "/dataset", "/static/../app.py", "*",
        "/;x",
        "http://127.0.0.1/model", "http://example.org/", "/" + "a" * 6000, "/" + "a/" * 2000,
        "/predict#x",
        "/predict?x#y", "/'%20OR%201=1--", "/{{7*7}}", "/<script>", "/robots.txt", "/\\..\\..",
    ]),
    st.text("abcd/.%0123456789~:@!$&'()*+,;=", max_size=50).map(lambda text: "/" + text),
)  # fmt: skip
_METHODS = st.one_of(
    st.sampled_from(["GET", "GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE",
    "get",
                     "PROPFIND", "BREW"]),
    _TOKEN,
)  # fmt: skip


@st.composite
def _paths(draw: DrawFn) -> HostileRequest:
    method = draw(_METHODS)
    body = b"" if method in ("GET", "HEAD") else draw(st.sampled_from([b"", b"x", b"{}"]))
    return HostileRequest("path or method", method, draw(_PATHS) + draw(_QUERIES), (), body)


_KNOWN_HEADERS = st.sampled_from([
    "Accept", "Accept-Encoding", "Accept-Language", "Authorization", "Cookie", "Expect", "Origin",
    "Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-API-Key", "Range",
    "X-Request-ID", "X-HTTP-Method-Override", "If-None-Match", "If-Modified-Since",
    "Content-Encoding",
    "Content-MD5", "Content-Range", "Access-Control-Request-Method",
    "Access-Control-Request-Headers",
    "Upgrade-Insecure-Requests", "User-Agent", "Referer", "Via", "Max-Forwards", "X-Real-IP", "DNT",
])  # fmt: skip


@st.composite
def _headers(draw: DrawFn) -> HostileRequest:
    names = st.one_of(_KNOWN_HEADERS, _TOKEN.map(lambda name: "X-" + name))
    headers = draw(st.lists(st.tuples(names, _HEADER_TEXT), max_size=12))
    # "Expect: 100-continue" and "Range" are for what is sent and answered whole.
    if draw(st.sampled_from([True] + [False] * 20)):
        headers += [(f"X-{n}", "y") for n in range(70)]
    method, target, body = draw(st.sampled_from([
        ("GET", "/model", b""), ("GET", "/", b""), ("POST", "/predict", pictures.seeds()[0]),
        ("OPTIONS", "/predict", b""),
    ]))  # fmt: skip
    return HostileRequest("headers", method, target, tuple(headers), body)


REQUESTS = st.one_of(
    _picture_bodies(), _picture_bodies(), _forms(), _forms(), _wrong_types(), _arrays(),
    _json_bodies(), _paths(), _headers(),
)  # fmt: skip
"""Well-formed requests that say strange things: each must get an answer of the API."""


def malformed(random: Random) -> tuple[str, bytes]:
    """Bytes that are not quite HTTP, and what is wrong with them."""
    kind = random.choice(sorted(_MALFORMED))
    return kind, _MALFORMED[kind](random)


_BODY = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"


def _request_line(random: Random) -> bytes:
    line = random.choice((
        b"", b"\r\n\r\n", b"GET", b"GET /", b"GET / HTTP/0.9", b"GET / HTTP/9.9",
        b"GET / HTTP/1.1 x",
        b"GET  /  HTTP/1.1", b"G\0T / HTTP/1.1", b"GET /\0 HTTP/1.1", b"GET /\xff\xfe HTTP/1.1",
        b"GET http:// HTTP/1.1", b"GET /" + b"a" * random.choice((9000, 200_000)) + b" HTTP/1.1",
        b"A" * random.choice((100, 70_000)), b"PRI * HTTP/2.0", b"\x16\x03\x01\x02\0\1\0\1\xfc\3\3",
        b"CONNECT localhost:1 HTTP/1.1", b"GET / HTTP/1.0", b"POST /predict HTTP/1.0",
    ))  # fmt: skip
    return line + random.choice((b"\r\n", b"\n", b"\r", b"")) + b"Host: localhost\r\n\r\n"


def _header_lines(random: Random) -> bytes:
    bad = random.choice((
        b": no name", b"No colon", b"Two words: x", b"Nul: \0", b"X:\r\n folded", b" Leading: x",
        b"Bad\x80: x", b"X: \x01\x02", b"Host: other", b"Content-Length: 5", b"Content-Length: -1",
        b"Content-Length: 99999999999999999999", b"Content-Length: 1e3", b"Content-Length: 0x10",
        b"Content-Length: 5\r\nContent-Length: 6", b"Transfer-Encoding: gzip",
        b"Transfer-Encoding: x",
        b"Transfer-Encoding: chunked\r\nContent-Length: 3", b"Transfer-Encoding : chunked",
        b"Expect: 200-ok", b"Expect: 100-continue\r\nContent-Length: 9",
        b"Connection: upgrade\r\nUpgrade: h2c",
        b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x",
    ))  # fmt: skip
    return _BODY + bad + b"\r\n\r\n" + random.choice((b"", b"abc", b"0\r\n\r\n", b"5\r\nabcde\r\n"))


def _chunked(random: Random) -> bytes:
    chunks = random.choice((
        b"", b"z\r\n", b"-1\r\nx\r\n", b"ffffffffffffffffff\r\nx", b"5\r\nabc",
        b"3\r\nabcdef\r\n0\r\n\r\n",
        b"3;ext=1;" + b"e" * random.choice((10, 40_000)) + b"\r\nabc\r\n0\r\n\r\n",
        b"0\r\nTrailer: x\r\n\r\n",
        b"1\r\na\r\n" * random.choice((10, 20_000)) + b"0\r\n\r\n", b"3\nabc\n0\n\n",
        b" 3 \r\nabc\r\n0\r\n\r\n",
        b"0" * 300 + b"3\r\nabc\r\n0\r\n\r\n", b"0\r\n" + b"T: x\r\n" * 5000 + b"\r\n",
    ))  # fmt: skip
    return _BODY + b"Transfer-Encoding: chunked\r\n\r\n" + chunks


def _header_flood(random: Random) -> bytes:
    count, size = random.choice(((200, 10), (10_000, 10), (3, 100_000), (1, 1_000_000), (90, 900)))
    lines = b"".join(b"X-%d: %b\r\n" % (n, b"v" * size) for n in range(count))
    return b"GET / HTTP/1.1\r\nHost: localhost\r\n" + lines + b"\r\n"


def _cut_short(random: Random) -> bytes:
    body = random.choice(pictures.seeds())
    told = len(body) + random.choice((1, 1000, 9_000_000, 10_000_001))
    whole = _BODY + b"Content-Length: %d\r\n\r\n" % told + body
    return whole[: random.randrange(1, len(whole))]


def _smuggled(random: Random) -> bytes:
    """More than one request, or half of one, in what should be one."""
    hidden = b"GET /hidden HTTP/1.1\r\nHost: localhost\r\n\r\n"
    return random.choice((
        hidden * random.choice((2, 100)),
        _BODY + b"Content-Length: 0\r\n\r\n" + hidden,
        _BODY + b"Content-Length: %d\r\n\r\n" % len(hidden) + hidden,
        _BODY + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden,
        _BODY + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden,
    ))  # fmt: skip


def _flipped(random: Random) -> bytes:
    body = random.choice(pictures.seeds())
    request = bytearray(_BODY + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    for _ in range(random.choice((1, 2, 5, 20))):
        request[random.randrange(110)] ^= 1 << random.randrange(8)
    return bytes(request)


_MALFORMED: dict[str, Callable[[Random], bytes]] = {
    "request line": _request_line,
    "header lines": _header_lines,
    "chunks": _chunked,
    "header flood": _header_flood,
    "cut short": _cut_short,
    "smuggling": _smuggled,
    "bits flipped": _flipped,
    "noise": lambda random: random.randbytes(random.choice((1, 10, 1000, 70_000))),
}
