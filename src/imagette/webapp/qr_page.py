"""`/qr`: the page's address, large and as a QR code, for a projector.

It is written here and not by Streamlit, so that it needs no script and no WebSocket.
"""

import os
import re
from html import escape
from pathlib import Path

import segno
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from imagette.local_network import addresses_for_others
from imagette.webapp.literal import TITLE
from imagette.webapp.texts import TEXTS, Texts
from imagette.wording import LANGUAGES, Language

_STYLES = Path(__file__).with_name("styles").joinpath("qr.css").read_text(encoding="utf-8")
_HOST = re.compile(r"(?P<name>[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?P<port>:\d{1,5})?")
_PREFIX = re.compile(r"(?:/[A-Za-z0-9._~-]+)*")
_THIS_MACHINE = re.compile(r"localhost|127\.[\d.]+|\[::1\]")


class QrPage:
    """Where phones find the page, as a page of its own.

    Whoever opens it on this machine is shown the address in the local network; whoever opens it at
    another address, that one, which led them here.

    Args:
        address: IP address that the page listens on.
        port: where it speaks HTTP.
        https_port: where it speaks HTTPS too; 0 for nowhere.
        base_path: below which the page is; at the top if empty.
    """

    def __init__(self, address: str, port: int, https_port: int, base_path: str) -> None:
        self._address, self._port, self._https_port = address, port, https_port
        self._base_path = base_path

    def route(self) -> Route:
        """What the page's server needs to know of it."""
        return Route(f"{self._base_path}/qr", self._answer)

    async def _answer(self, request: Request) -> Response:
        texts = TEXTS[_language(request)]
        found = _HOST.fullmatch(request.headers.get("host", ""))
        is_here = not found or _THIS_MACHINE.fullmatch(found["name"])
        if is_here or not found:
            hosts = [
                f"[{one}]" if ":" in one else one for one in addresses_for_others(self._address)
            ]
            body = self._found(hosts, texts) if hosts else self._nothing(texts)
        elif self._https_port:
            body = self._found([found["name"]], texts)
        else:
            body = _address(self._as_asked(request, found[0]), texts)
        html = _page(body, texts)
        return HTMLResponse(html, headers={"Cache-Control": "no-store", "Vary": "Accept-Language"})

    def _as_asked(self, request: Request, host: str) -> str:
        """The page's address as whoever asks has it, by what a trusted proxy says."""
        path, scheme = self._base_path, request.url.scheme
        if os.environ.get("IMAGETTE_TRUSTED_PROXIES", "0") != "0":
            told = request.headers.get("x-forwarded-prefix", "").rstrip("/")[:200]
            path = told if told and _PREFIX.fullmatch(told) else path
            if request.headers.get("x-forwarded-proto") == "https":
                scheme = "https"
        return f"{scheme}://{host}{path}"

    def _found(self, hosts: list[str], texts: Texts) -> str:
        plain = [f"http://{host}:{self._port}{self._base_path}" for host in hosts]
        others = "".join(f'<li><a href="{one}/qr">{one}</a></li>' for one in plain[1:])
        if others:
            others = f"<p>{escape(texts.qr_other_networks)}</p><ul>{others}</ul>"
        if not self._https_port:
            return _address(plain[0], texts) + others
        steps = (texts.qr_chrome, texts.qr_safari, texts.qr_firefox)
        warning = "".join(f"<li>{escape(step)}</li>" for step in steps)
        empty = escape(texts.qr_empty).format(url=f"<b>{plain[0]}</b>")
        secure = f"https://{hosts[0]}:{self._https_port}{self._base_path}"
        return (
            _address(secure, texts)
            + f"<p>{escape(texts.qr_warning)}</p><ul>{warning}</ul><p>{empty}</p>{others}"
        )

    def _nothing(self, texts: Texts) -> str:
        alone = _THIS_MACHINE.fullmatch(self._address) or self._address == "::1"
        return f"<h1>{escape(texts.qr_only_here if alone else texts.qr_no_network)}</h1>"


def _language(request: Request) -> Language:
    """The language that the address asks for, or else the browser's first of those there are."""
    asked = request.query_params.get("lang") or request.headers.get("accept-language", "")
    wanted = (one.strip()[:2].lower() for one in asked.split(","))
    return next((one for name in wanted for one in LANGUAGES if name == one), "en")


def _address(url: str, texts: Texts) -> str:
    """An address as a QR code and in letters."""
    code = segno.make_qr(url, error="m").svg_inline(border=4, scale=8, omitsize=True, light="#fff")
    return (
        f"<h1>{escape(texts.qr_title)}</h1>"
        f'<div class="code" role="img" aria-label="{escape(texts.qr_alt)}">{code}</div>'
        f'<p class="address">{_breakable(url)}</p><p>{escape(texts.qr_same_network)}</p>'
    )


def _breakable(url: str) -> str:
    """An address that may go on in a second line, but not within a word or a number."""
    scheme, _, rest = escape(url).partition("://")
    return f"{scheme}://<wbr>{rest.replace(':', '<wbr>:').replace('/', '<wbr>/')}"


def _page(body: str, texts: Texts) -> str:
    other = next(one for one in LANGUAGES if one != texts.language)
    title = escape(TITLE)
    return (
        f'<!doctype html><html lang="{texts.language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">'
        f"<title>{escape(texts.qr_title)} – {title}</title><style>{_STYLES}</style></head>"
        f"<body><header>{title}</header><main>{body}</main>"
        f'<footer><a href="?lang={other}" lang="{other}">'
        f"{escape(texts.other_language)}</a></footer></body></html>"
    )
