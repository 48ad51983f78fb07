"""JSON: where in it the pictures are."""

import re
from collections.abc import Callable, Iterator
from itertools import islice
from threading import Lock
from typing import Any

from pydantic_core import from_json, to_json

from imagette.serving.problems import RequestError
from imagette.serving.uploads.arrays import (
    MOST_PIXELS,
    file_of_numbers,
    is_numeric,
    nest,
    read_arrays,
    to_pixels,
)
from imagette.serving.uploads.text import (
    begins_as_picture,
    decode_text,
    is_address,
    looks_like_picture,
)
from imagette.serving.uploads.upload import HOW_TO_SEND, Upload, Uploads, too_many

_LIKE_JSON = re.compile(rb'(?:\xef\xbb\xbf)?\s{0,64}(?:\{\s*["}]|\[\s*[\[{"\d\]-]|"[\w+/{\[\\])')
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_NAMES = ("image", "images", "instances", "inputs")
"""Fields that hold the pictures, whatever else there is."""

_IN_LIST = frozenset(["images", "instances", "inputs"])
"""Fields whose list is one of pictures, even if these are arrays."""

# Before anything is made of it, since objects in memory take many times as much as their text: as
# many lists and numbers as the largest array has, and a little more for what stands around it.
_MOST_OBJECTS = MOST_PIXELS + 10_000
_MOST_VALUES = 4 * MOST_PIXELS + 10_000
# One body at a time: numbers take ten times as much as objects than as text and as pixels, and it
# needs Python's global lock from beginning to end anyway.
_PARSING = Lock()
_REMEDY = (
    'Send {"image": …}: the file as base64, or rows of pixels, [[[r, g, b], …], …], of numbers from'
    " 0 to 1 or of whole numbers from 0 to 255, at most 512 rows and columns."
)


def looks_like_json(body: bytes) -> bool:
    """Whether a body begins as JSON does, and no file of a picture."""
    return _LIKE_JSON.match(body) is not None


def read_json(body: bytes, max_images: int) -> Uploads:
    """The pictures of a body that is JSON.

    Raises:
        RequestError: it cannot be read, or there is no picture in it, or too many.
    """
    with _PARSING:
        value = parse_json(body.removeprefix(BYTE_ORDER_MARK))
        if isinstance(value, str) and looks_like_json(text := value.encode()):
            value = parse_json(text)  # made JSON twice over
        return find_images(value, max_images)


def find_images(value: Any, max_images: int, what: str = "JSON") -> Uploads:
    """The pictures in a value of JSON, or among the fields of a form.

    Args:
        value: as Python has it.
        max_images: refuse values with more pictures than this.
        what: what is wrong is said of this.

    Raises:
        RequestError: there is no picture in it, or there are too many.
    """
    name = place = ""
    while isinstance(value, dict) and not _is_tensor(value):
        name = _choose(value, place, what)
        value, place = value[name], f"{place}.{name}" if place else name
    in_list = isinstance(value, list) and (name in _IN_LIST or not is_numeric(value))
    several = _find(value, place, name in _IN_LIST, what)
    found = list(islice(several, max_images + 1))
    if len(found) > max_images:
        raise too_many(max_images)
    return Uploads(to_pixels(found), in_list)


def parse_json(body: bytes) -> Any:
    """A body as Python has it.

    Raises:
        RequestError: it is not JSON, or holds more than the largest array.
    """
    if body.count(b"[") + body.count(b"{") > _MOST_OBJECTS or body.count(b",") > _MOST_VALUES:
        raise RequestError(
            "wrong-shape",
            f"The JSON holds more lists or numbers than {MOST_PIXELS} pixels have.",
            f"Send a larger picture as a file. {HOW_TO_SEND}",
        )
    try:
        return from_json(body)
    except ValueError as error:
        problem = "The body is not valid JSON in UTF-8."
        raise RequestError("invalid-json", problem, _REMEDY) from error


def _find(value: Any, place: str, in_list: bool, what: str) -> Iterator[Upload]:
    """Each picture of a value; what is wrong with one of a list is its content."""
    where = f"`{place}`" if place else f"The {what}"
    match value:
        case str():
            yield Upload(decode_text(value, where), place=place)
        case dict() if _is_tensor(value):
            yield from _find(nest(value["data"], value["shape"], where), place, True, what)
        case dict():
            name = _choose(value, place, what)
            yield from _find(value[name], f"{place}.{name}", False, what)
        case []:
            raise RequestError("no-picture", f"{where} is an empty list.", _REMEDY)
        case list() if is_numeric(value):
            yield from read_arrays(value, place, in_list)
        case list():
            for index, element in enumerate(value):
                inside = f"{place}[{index}]"
                try:
                    yield from _find(element, inside, False, what)
                except RequestError as error:
                    yield Upload(error.anew(), place=inside)
        case _:
            problem = f"{where} is {to_json(value).decode()[:40]}, not a picture."
            raise RequestError("no-picture", problem, _REMEDY)


def _is_tensor(value: dict[str, Any]) -> bool:
    """Whether an object is a tensor of the Open Inference Protocol (KServe, Triton)."""
    return isinstance(value.get("shape"), list) and isinstance(value.get("data"), list)


def _choose(fields: dict[str, Any], place: str, what: str) -> str:
    """The field that holds the picture, by its name, or because no other can.

    Raises:
        RequestError: there is none, or several may.
    """
    for name in _NAMES:
        if fields.get(name) is not None:
            return name
    likely = [name for name, value in fields.items() if _holds_picture(value, looks_like_picture)]
    if len(likely) > 1:  # a signature is base64 too
        likely = [n for n in likely if _holds_picture(fields[n], begins_as_picture)] or likely
    if not likely:  # the address of one, so that what is said is true
        likely = [n for n, value in fields.items() if _holds_picture(value, is_address)][:1]
    if len(likely) == 1:
        return likely[0]
    where = f"`{place}`" if place else f"The {what}"
    if likely:
        problem = f"`{likely[0]}` and `{likely[1]}` may both be the picture."
        remedy = "Call it `image`; or send several as a list, `images`."
        raise RequestError("no-picture", problem, remedy)
    if "image" in fields:
        problem = f"{where} has null as `image`."
    elif fields:
        problem = f"{where} has no field `image`, and `{_shown(next(iter(fields)))}` is no picture."
    else:
        problem = f"{where} is an empty object."
    raise RequestError("no-picture", problem, HOW_TO_SEND if what == "form" else _REMEDY)


def _holds_picture(value: Any, is_one: Callable[[str], bool], levels: int = 3) -> bool:
    """Whether a value is a picture or has one in it; `is_one` says so of a text."""
    match value:
        case str():
            return is_one(value)
        case dict() if levels:
            inside = (_holds_picture(one, is_one, levels - 1) for one in value.values())
            return _is_tensor(value) or any(inside)
        case [int(), *_]:
            return file_of_numbers(value) is not None
        case [first, *_]:
            return isinstance(first, list) or _holds_picture(first, is_one, levels)
    return False


def _shown(name: str) -> str:
    return name if len(name) <= 60 else f"{name[:59]}…"
