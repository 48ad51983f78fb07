"""What the terminal tells of how phones find the page."""

from typing import TYPE_CHECKING

from rich.console import Console
from rich.style import Style
from rich.text import Text

from imagette.local_network import addresses_for_others, can_be_reached
from imagette.serving.ports import url
from imagette.terminal import local

if TYPE_CHECKING:
    from imagette.serving.webapp_process import WebappProcess

# One letter for two modules of a QR code, one above the other, by whether they are dark.
_HALVES = {(0, 0): " ", (1, 0): "▀", (0, 1): "▄", (1, 1): "█"}
# Its own colours, so that it is black on white in dark terminals too.
_COLOURS = Style(color="#000000", bgcolor="#ffffff")
_BORDER = 2  # modules

_WARNING = """\
  Each phone warns once of a certificate that this computer has made itself. To go on:
    Chrome, Android   Advanced, then Proceed to …
    Safari, iPhone    Show Details, then visit this website
    Firefox           Advanced, then Accept the Risk and Continue
  Where the page is still empty then, as on some iPhones: {http}, without live camera."""

_NO_CAMERA = """\
  There, phones can upload photos but not use the live camera, which browsers lend only over
  HTTPS. For that, stop this with Ctrl-C and start it again with --https added."""

_NO_NETWORK = """\
  No phone can come yet: this computer is on no network. Connect it to that of the phones, then
  open {projector}, which has the address."""


def tell_phones(webapp: "WebappProcess") -> None:
    """Print how phones find a page that is ready; nothing where only this machine reaches it."""
    for line in lines_for_phones(webapp):
        print(line, flush=True)


def lines_for_phones(webapp: "WebappProcess") -> list[str]:
    """How phones find the page; nothing where only this machine reaches it.

    Elsewhere than in a terminal, as in a log, it is the address alone.
    """
    if not can_be_reached(webapp.address):
        return []
    projector = f"{webapp.url}/qr"
    secure, port = bool(webapp.https_port), webapp.https_port or webapp.port
    addresses = addresses_for_others(webapp.address)
    if not addresses:
        return [local(_NO_NETWORK.format(projector=projector))]
    urls = [url(one, port, "https" if secure else "http") + webapp.base_path for one in addresses]
    lines = [local(f"  Phones in the same network: {urls[0]}")]
    console = Console()
    if not console.is_terminal:
        return lines
    lines += [local(f"  and in another one: {other}") for other in urls[1:]]
    lines += qr_lines(urls[0], console)
    lines.append(local(f"  For a projector: {projector}"))
    http = url(addresses[0], webapp.port) + webapp.base_path
    return [*lines, local(_WARNING.format(http=http) if secure else _NO_CAMERA)]


def qr_lines(text: str, console: Console) -> list[str]:
    """A QR code as lines of a terminal; none where it could not be read there."""
    import segno  # of the extra `webapp`

    matrix = [list(row) for row in segno.make_qr(text, error="l").matrix_iter(border=_BORDER)]
    shows_it = console.color_system and not console.no_color and not console.legacy_windows
    if not shows_it or console.encoding != "utf-8" or len(matrix[0]) + 2 > console.width:
        return []
    if len(matrix) % 2:
        matrix.append([0] * len(matrix[0]))
    with console.capture() as captured:
        for above, below in zip(matrix[::2], matrix[1::2], strict=True):
            row = "".join(_HALVES[pair] for pair in zip(above, below, strict=True))
            console.print(Text("  ").append(row, _COLOURS), soft_wrap=True)
    return captured.get().splitlines()
