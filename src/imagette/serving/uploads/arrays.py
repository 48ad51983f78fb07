"""Lists of numbers as pictures: pixels, or the bytes of a file."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from math import prod
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import FailFast, Field, TypeAdapter, ValidationError

from imagette.images.signatures import is_image
from imagette.serving.problems import RequestError
from imagette.serving.uploads.upload import Upload, attempt

MOST_SIDE = 512
"""Of an array, in pixels. In memory its numbers take several times as much as their shortest text,
so a larger picture has to come as a file."""

MOST_PIXELS = MOST_SIDE**2
"""Of all arrays of a request together."""

# What is wrong is looked for up to the first wrong element or length.
_Value = Annotated[float, Field(allow_inf_nan=False)]
_Pixel = Annotated[list[_Value], Field(max_length=4), FailFast()]
_SIDE = Field(min_length=1, max_length=MOST_SIDE)
_GREY = TypeAdapter(Annotated[list[Annotated[list[_Value], _SIDE, FailFast()]], _SIDE, FailFast()])
_COLOUR = TypeAdapter(
    Annotated[list[Annotated[list[_Pixel], _SIDE, FailFast()]], _SIDE, FailFast()]
)

_REMEDY = (
    "Send rows of pixels, [[[r, g, b], …], …], of numbers from 0 to 1 or of whole numbers from 0 to"
    f" 255, at most {MOST_SIDE} rows and columns; normalise them no further."
)


def is_numeric(value: Sequence[Any]) -> bool:
    """Whether a list holds, or should hold, numbers: neither text nor objects."""
    first: Any = value
    while isinstance(first, list) and first:
        first = first[0]
    return not isinstance(first, str | dict) and not any(isinstance(v, str | dict) for v in value)


def file_of_numbers(value: list[Any]) -> bytes | None:
    """The file whose bytes a list holds as numbers, from 0 or from -128; None for other lists.

    So JSON has what is an array of bytes in JavaScript, Dart or Java.
    """
    try:
        content = bytes(byte & 255 if -128 <= byte < 256 else byte for byte in value)
    except (TypeError, ValueError):
        return None
    return content if is_image(content) else None


def read_arrays(value: list[Any], place: str, in_list: bool) -> Iterator[Upload]:
    """The pictures that a list of numbers holds, their values as they are, in float64.

    Args:
        value: of shape `(height, width)`, `(height, width, channels)` with 1, 3 or 4 channels, or
            several such.
        place: where it stands in the request.
        in_list: whether it must be several.

    Raises:
        RequestError: it has another shape; where there are several pictures, what is wrong with
            one is its content.
    """
    where = f"`{place}`" if place else "The JSON"
    shape = _shape(value)
    match shape:
        case (_,) if file := file_of_numbers(value):
            yield Upload(file, place=place)
        case (_,) | (1, _):
            raise _wrong_shape(f"{where} is a flat list of {shape[-1]} values, without rows")
        case (_, _) | (_, _, 1 | 3 | 4):
            yield Upload(_read(value, place, len(shape)), place=place)
        case (_, _, _, 1 | 3 | 4):
            yield from _read_each(value, place, 3)
        case (3, _, _) | (_, 1 | 3, _, _):
            raise _wrong_shape(f"{where}, of shape {shape}, seems to have its channels first")
        case (count, _, _) if in_list or count == 1:  # greyscale
            yield from _read_each(value, place, 2)
        case _:
            raise _wrong_shape(f"{where}, of shape {shape}, is not height × width × 3 numbers")


def nest(data: list[Any], shape: list[Any], where: str) -> list[Any]:
    """A flat list as lists in lists.

    Args:
        data: flat; nested already or of text, it stays as it is.
        shape: its lengths.
        where: what is wrong is said of this.

    Raises:
        RequestError: so many elements do not make that shape.
    """
    if any(isinstance(element, list | str | dict) for element in data):
        return data
    sizes = [size for size in shape if type(size) is int and size > 0]
    if sizes != shape or prod(sizes) != len(data):
        raise _wrong_shape(f"The shape of {where} is not that of its {len(data)} numbers")
    for size in reversed(sizes[1:]):
        data = [data[start : start + size] for start in range(0, len(data), size)]
    return data


def to_pixels(images: list[Upload]) -> list[Upload]:
    """Bring the arrays among pictures to values that are known: 0–1, or uint8.

    Whole numbers up to 255, of which one in any array is more than 1, are 0–255. A black picture
    among others is one either way.
    """
    arrays = [image.content for image in images if isinstance(image.content, np.ndarray)]
    if not arrays:
        return images
    highest = max(float(array.max()) for array in arrays)
    if 1 < highest <= 255 and all(_is_whole(array) for array in arrays):
        return [_as_uint8(image) for image in images]
    return [_check_values(image) for image in images]


def _shape(value: Any) -> tuple[int, ...]:
    """The lengths of the first list, of its first, and so on."""
    found: list[int] = []
    while isinstance(value, list):
        found.append(len(value))
        value = value[0] if value else None
    return tuple(found)


def _read_each(value: list[Any], place: str, depth: int) -> Iterator[Upload]:
    for index, element in enumerate(value):
        inside = f"{place}[{index}]"
        yield attempt(partial(_read, element, inside, depth), place=inside)


def _read(value: Any, place: str, depth: int) -> NDArray[np.float64]:
    array = _as_array(value, depth)
    if array is None:
        raise _what_is_wrong(value, place, depth)
    if array.ndim == 3 and array.shape[2] not in (1, 3, 4):
        raise _wrong_shape(f"`{place}`, of shape {array.shape}, is not height × width × 3 numbers")
    return array


def _as_array(value: Any, depth: int) -> NDArray[np.float64] | None:
    """What lists in lists hold; None where a length or an element is wrong.

    Level by level, which is four times as fast as to check element by element.
    """
    shape, level = [], [value]
    for _ in range(depth):
        if set(map(type, level)) != {list} or len(lengths := set(map(len, level))) > 1:
            return None
        shape.append(lengths.pop())
        level = list(chain.from_iterable(level))
    if max(shape[:2]) > MOST_SIDE or not level or not set(map(type, level)) <= {int, float}:
        return None
    try:
        array = np.array(level, dtype=np.float64).reshape(shape)
    except OverflowError:
        return None
    return array if np.isfinite(array).all() else None


def _what_is_wrong(value: Any, place: str, depth: int) -> RequestError:
    """The first wrong element or length of what makes no array."""
    adapter: TypeAdapter[Any] = _GREY if depth == 2 else _COLOUR
    try:
        adapter.validate_python(value, strict=True)
    except ValidationError as error:
        return _wrong_element(error, place)
    return _wrong_shape(f"The rows of `{place}` are not all of the same length")


def _is_whole(array: NDArray[Any]) -> bool:
    return bool((array >= 0).all() and (array == np.rint(array)).all())


def _as_uint8(image: Upload) -> Upload:
    if not isinstance(image.content, np.ndarray):
        return image
    return replace(image, content=image.content.astype(np.uint8))


def _check_values(image: Upload) -> Upload:
    array = image.content
    if not isinstance(array, np.ndarray):
        return image
    wrong = (array < 0) | (array > 1)
    if not wrong.any():
        return image
    first = np.unravel_index(int(wrong.argmax()), array.shape)
    place = image.place + "".join(f"[{index}]" for index in first)
    problem = (
        f"`{place}` is {array[first]:g}: the numbers are neither all from 0 to 1 nor all whole and"
        " from 0 to 255."
    )
    return replace(image, content=RequestError("wrong-values", problem, _REMEDY))


def _wrong_element(error: ValidationError, place: str) -> RequestError:
    first = error.errors(include_url=False, include_input=False)[0]
    inside = place + "".join(f"[{key}]" for key in first["loc"])
    match first["type"]:
        case "list_type":
            return _wrong_shape(f"`{inside}` is not a list")
        case "too_short" | "too_long" as length:
            return _wrong_shape(f"`{inside}` is {length.replace('_', ' ')}")
    return RequestError("wrong-values", f"`{inside}` is not a number.", _REMEDY)


def _wrong_shape(problem: str) -> RequestError:
    return RequestError("wrong-shape", f"{problem}.", _REMEDY)
