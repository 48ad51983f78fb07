"""Pictures that come as text: base64, or a data URL."""

import base64
import re

from imagette.images.signatures import is_image
from imagette.serving.problems import RequestError
from imagette.serving.uploads.upload import HOW_TO_SEND

_SHORTEST = 11
"""Letters of base64: what is shorter is a word, and no head of a picture."""

_CERTAIN = 80
"""Letters from which on text of base64's alphabet is taken for a picture, whatever it is called:
longer than most keys and ids, and shorter than the smallest picture."""

_STANDARD = str.maketrans("-_", "+/")
_BASE64 = re.compile(r"[A-Za-z0-9+/]*")
_PYTHON_BYTES = re.compile(r"b(['\"])(.*)\1", re.DOTALL)
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+:", re.IGNORECASE)  # one letter is a drive of Windows
_LIKE_BASE64 = re.compile(rf"(?:b['\"])?(?:[A-Za-z0-9+/_-][\r\n]*){{{_CERTAIN}}}")
_TEXT = re.compile(rb"\s{0,64}(?:data:|(?:b['\"])?[A-Za-z0-9+/_-]{60})", re.IGNORECASE)
# PNG and JPEG, their first bytes replaced as UTF-8 has it, or taken for letters and written in it.
_MADE_TEXT = (b"\xef\xbf\xbdPNG", b"\xef\xbf\xbd\xef\xbf\xbd", b"\xc2\x89PNG", b"\xc3\xbf\xc3\x98")


def decode_text(text: str, where: str) -> bytes:
    """The file that a text holds.

    Args:
        text: base64, of the standard alphabet or that of URLs, its padding and line breaks as they
            may be; or a data URL with it.
        where: what is wrong is said of this, such as "`image`".

    Raises:
        RequestError: the text is something else: the address of a picture, which is never
            fetched, its name, or base64 that is damaged.
    """
    text = text.strip()
    is_data = text[:5].lower() == "data:"
    if is_data:
        head, _, text = text.partition(",")
        if not head.lower().endswith(";base64"):
            raise _damaged(f"{where} is a data URL without base64 in it.")
    elif _ADDRESS.match(text):
        raise RequestError(
            "no-picture",
            f"{where} is an address, {_shortened(text)}, and this server fetches nothing.",
            "Download the picture, and send the file itself.",
        )
    elif literal := _PYTHON_BYTES.fullmatch(text):  # what Python's str() makes of bytes
        text = literal[2]
    letters = "".join(text.split()).translate(_STANDARD).rstrip("=")
    if (not is_data and 0 < len(letters) < _SHORTEST) or not _BASE64.fullmatch(letters):
        if is_data or looks_like_picture(text):
            raise _damaged(f"{where} has something else than base64 in it.")
        if text[:9].encode().startswith(_MADE_TEXT):
            raise _damaged(f"{where} has the bytes of a file in it, made letters, and not base64.")
        raise RequestError(
            "no-picture", f"{where} is the text {_shortened(text)}, not a picture.", HOW_TO_SEND
        )
    if len(letters) % 4 == 1:
        raise _damaged(f"The base64 of {where} is cut short.")
    return base64.b64decode(letters + "=" * (-len(letters) % 4))


def looks_like_picture(text: str) -> bool:
    """Whether a text is so long and of such letters, or says so itself, that it must be a file."""
    start = text[: 4 * _CERTAIN].lstrip()
    return start[:5].lower() == "data:" or _LIKE_BASE64.match(start) is not None


def begins_as_picture(text: str) -> bool:
    """Whether a text is the base64 of what begins as the usual formats do."""
    text = text[:200].strip()
    letters = "".join((text.partition(",")[2] or text).split()).translate(_STANDARD)[:64]
    return _BASE64.fullmatch(letters) is not None and is_image(
        base64.b64decode(letters[: len(letters) // 4 * 4])
    )


def is_address(text: str) -> bool:
    """Whether a text is the address of something elsewhere."""
    return re.match(r"\s*[a-z][a-z0-9+.-]+://", text[:40], re.IGNORECASE) is not None


def unwrap(content: bytes, where: str) -> bytes:
    """The bytes of a file, which may have come as text.

    Args:
        content: the file, or base64 or a data URL with it.
        where: what is wrong is said of this.

    Raises:
        RequestError: the file was destroyed on its way, by being taken for text.
    """
    if content.startswith(_MADE_TEXT):
        raise RequestError(
            "unreadable-picture",
            f"{where} was taken for text on its way, which destroys a picture.",
            "Read the file as binary, send its bytes as they are, and let no proxy decode them.",
        )
    if _TEXT.match(content) and content.isascii():
        try:
            return decode_text(content.decode("ascii"), where)
        except RequestError:
            if content[:5].lower() == b"data:":
                raise
    return content


def _damaged(problem: str) -> RequestError:
    remedy = "Encode the whole file as base64 again, and send the text unchanged."
    return RequestError("unreadable-picture", problem, remedy)


def _shortened(text: str) -> str:
    return f"`{text if len(text) <= 60 else text[:59] + '…'}`"
