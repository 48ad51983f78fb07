"""What a file is by its first bytes: a picture, whatever its name, or what is taken for one; and
what is no file, but an address of the web."""

import re
from contextlib import suppress
from pathlib import Path

_ENOUGH = 512

_IMAGE = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n\x1a\n|GIF8[79]a|RIFF.{4}WEBP|II\*\0|MM\0\*|qoif"
    rb"|BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0"  # the size of a BMP's second header
    rb"|.{4}ftyp(?:avi[fs]|hei[cxms]|hev[cxms]|mif1|msf1)"
    rb"|\0\0\0\x0cjP  \r\n|\xff\x4f\xff\x51|P[1-6]\s+[\d#]",
    re.DOTALL,
)
"""Formats whose first bytes nothing else has."""

_VIDEO = re.compile(
    rb"(?P<mp4>.{4}(?:ftyp(?!avi|hei|hev|mif|msf)|moov|mdat|wide))"
    rb"|(?P<avi>RIFF.{4}AVI )|(?P<matroska>\x1aE\xdf\xa3)",
    re.DOTALL,
)
"""Each by the name that FFmpeg has for what reads it."""
_WEB_PAGE = rb"\s*(\xef\xbb\xbf)?\s*(<!--.*?-->\s*)?<(!doctype )?html"

UNPACK = "unpack it"

_ELSE = (
    (rb"version https://git-lfs", "a Git LFS pointer", "run `git lfs pull`"),
    (_WEB_PAGE, "a web page", "download the file itself"),
    (rb"\s*(<\?xml.*)?(<!.*)?<svg", "an SVG drawing", "save it as PNG"),
    (rb"%PDF", "a PDF document", "save its pictures"),
    (_VIDEO.pattern, "a video", "save pictures"),
    (rb"PK\x03\x04", "a zip file", UNPACK),
    (rb"Rar!\x1a\x07", "a RAR file", UNPACK),
    (rb"7z\xbc\xaf\x27\x1c", "a 7-Zip file", UNPACK),
    (rb"MSCF", "a cabinet file", UNPACK),
    (rb"\x28\xb5\x2f\xfd", "a Zstandard file", UNPACK),
    (rb"\x1f\x8b", "a gzip file", UNPACK),
    (rb"BZh[1-9]", "a bzip2 file", UNPACK),
    (rb"\xfd7zXZ\0", "an xz file", UNPACK),
    (rb"\x00\x05\x16[\x00\x07]", "what macOS keeps beside a file", "delete it"),
)


def first_bytes(file: Path | bytes) -> bytes:
    """As many bytes as tell what a file is, by its path or its content; none where it cannot be
    read."""
    if isinstance(file, bytes):
        return file[:_ENOUGH]
    with suppress(OSError), file.open("rb") as opened:
        return opened.read(_ENOUGH)
    return b""


def is_address(text: str) -> bool:
    """Whether a text is the address of something on the web."""
    return text[:8].lower().startswith(("http://", "https://"))


def is_image(head: bytes) -> bool:
    """Whether a file that begins with `head` is a picture of a usual format."""
    return bool(_IMAGE.match(head))


def video_kind(head: bytes) -> str:
    """What FFmpeg calls the reader of a video that begins with `head`: `mp4`, `avi` or `matroska`
    (which WebM is too); empty where it is no video of these kinds."""
    found = _VIDEO.match(head)
    return found.lastgroup or "" if found else ""


def is_web_page(head: bytes) -> bool:
    """Whether what begins with `head` is HTML."""
    return bool(re.match(_WEB_PAGE, head, re.DOTALL | re.IGNORECASE))


def what_else(head: bytes) -> tuple[str, str] | None:
    """What a file that begins with `head` is instead, and what to do, in words; None if unknown."""
    flags = re.DOTALL | re.IGNORECASE
    return next(((what, do) for first, what, do in _ELSE if re.match(first, head, flags)), None)
