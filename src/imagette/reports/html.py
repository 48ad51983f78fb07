"""HTML pages that stand alone: one file, pictures inlined, in English and French.

A page is a Jinja template beside the module it belongs to, and extends `page.html.j2`. Class names
and all other values are escaped; a page loads nothing, from the network or from its folder.
"""

import base64
import io
from functools import cache
from pathlib import Path

import jinja2
import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image

from imagette import wording


def render(template: str, **values: object) -> str:
    """Fill a template.

    Args:
        template: path of the template inside the package.
        values: what the template asks for.
    """
    return _environment().get_template(template).render(values)


LARGE = 128
"""From so many pixels a side on, a picture is a photograph."""


def png_url(png: bytes) -> str:
    """A PNG file as a data URL."""
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def pixels_url(pixels: NDArray[np.uint8]) -> str:
    """Pixels, uint8 `(height, width, 3)` or with alpha `(height, width, 4)`, as a data URL.

    Small pictures keep every pixel; large ones, of photographs, are compressed as these are.
    """
    buffer = io.BytesIO()
    if max(pixels.shape[:2]) >= LARGE and pixels.shape[2] == 3:
        Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "JPEG", quality=88)
        return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "PNG", optimize=True)
    return png_url(buffer.getvalue())


def both(english: object, french: object) -> Markup:
    """A text in both languages, of which the page shows the one its reader chose."""
    if english == french:
        return Markup("{}").format(english)
    return Markup('<span lang="en">{}</span><span lang="fr">{}</span>').format(english, french)


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parents[1]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["both"] = both
    for function in (wording.number, wording.percent, wording.duration):
        environment.globals[function.__name__] = function
        environment.filters[function.__name__] = _in_both_languages(function)
    return environment


def _in_both_languages(function):  # type: ignore[no-untyped-def]
    """As a filter, `{{ 0.683 | percent }}` writes the number for readers of either language."""

    def filtered(value: float, *options: object) -> Markup:
        return both(*(function(value, language, *options) for language in wording.LANGUAGES))

    return filtered
