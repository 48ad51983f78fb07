"""HTML pages that stand alone: one file, pictures inlined, in English and French.

A page is a Jinja template beside the module it belongs to, and extends `page.html.j2`. Its words
are in `locales/`: `{{ both("report.chance", chance=0.1) }}` (see `imagette.reports.texts`); a
number alone is written `{{ 0.683 | percent }}`. Class names and all other values are escaped; a
page loads nothing, from the network or from its folder, but may link to people's own files.
"""

import base64
import io
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imagette.reports.texts import NUMBERS, Both, both, in_both
from imagette.wording import LANGUAGES

PHOTOGRAPH_SIDE = 128
"""An image whose longer side has so many pixels or more is taken for a photograph."""


def render(template: str, **values: object) -> str:
    """A whole page: the template, by its path inside the package, filled with values."""
    return _environment().get_template(template).render(values)


def png_url(png: bytes) -> str:
    """A PNG file as a data URL."""
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def pixels_url(pixels: NDArray[np.uint8]) -> str:
    """An image, uint8 `(height, width, 3)` or with alpha `(height, width, 4)`, as a data URL.

    Small images become PNG, which keeps every pixel; photographs become JPEG.
    """
    buffer = io.BytesIO()
    if max(pixels.shape[:2]) >= PHOTOGRAPH_SIDE and pixels.shape[2] == 3:
        Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "JPEG", quality=88)
        return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "PNG", optimize=True)
    return png_url(buffer.getvalue())


def file_url(file: Path, folder: Path) -> str:
    """A link to a file from a page in a folder, relative, so that both may move together."""
    try:
        path = os.path.relpath(file, folder.resolve())
    except ValueError:  # on another drive
        return file.resolve().as_uri()
    return quote(os.fsencode(path.replace(os.sep, "/")))


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parents[1]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"both": both, "in_both": in_both}
    environment.filters |= {name: _in_both_languages(write) for name, write in NUMBERS.items()}
    return environment


def _in_both_languages(write: Callable[..., str]) -> Callable[..., Both]:
    """As a filter of templates: a number, as readers of either language write it."""

    def filtered(value: float, *options: Any) -> Both:
        en, fr = (write(value, language, *options) for language in LANGUAGES)
        return Both(en, fr)

    return filtered
