"""Requests as clients make them."""

import base64
from collections.abc import Iterable

import numpy as np
from support.images import noise

from imagette.images.open_image import to_pixels

FILE = noise(5, 32, 32)
"""A picture, as a file…"""

PIXELS = to_pixels(FILE, 32, 32)
"""…as pixels, uint8 `(32, 32, 3)`…"""

TEXT = base64.b64encode(FILE).decode()
"""…and as text."""

GREY = PIXELS[..., 0]


def part(name="image", head='; filename="a.png"', content=FILE) -> bytes:
    """A part of a form; `head` is what follows the name."""
    return f'Content-Disposition: form-data; name="{name}"{head}\r\n\r\n'.encode() + content


def form(*parts: bytes, end=b"\r\n--b--\r\n") -> bytes:
    """A form by hand, its boundary `b`."""
    return b"".join(b"\r\n--b\r\n" + one for one in parts).removeprefix(b"\r\n") + end


def assert_same(response, expected, count: int | None = None) -> None:
    """See that a picture is answered like this prediction; or so many, in a list."""
    assert response.status_code == 200, response.text
    answers = [response.json] if count is None else response.json["predictions"]
    assert len(answers) == (count or 1)
    for answer in answers:
        probabilities = np.array([*answer["probabilities"].values()])
        np.testing.assert_allclose(probabilities, [*expected.probabilities.values()], atol=1e-5)


def assert_refused(response, kind: str, words: str | Iterable[str] = ()) -> None:
    """See that it is a problem of this kind that says these words."""
    assert response.mimetype == "application/problem+json", response.text
    assert response.json["type"] == f"urn:imagette:problem:{kind}", response.json
    assert response.status_code == response.json["status"]
    for word in [words] if isinstance(words, str) else words:
        assert word in response.json["detail"]
