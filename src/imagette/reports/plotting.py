"""The look that all plots share, and how they become PNG files.

Only matplotlib's object interface is used (`Figure`, never `pyplot`), so that a plot needs no
display and leaves no state behind.
"""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib
import numpy as np
from matplotlib import font_manager
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from imagette.files import SOFTWARE

DPI = 160

# Okabe and Ito's palette, which colour-blind people can tell apart; yellow, too pale on white,
# is left out.
BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"
COLOURS = (BLUE, ORANGE, GREEN, "#CC79A7", "#E69F00", "#56B4E9", "#000000")

INK, FAINT = "#1f2430", "#d5d9e0"

# DejaVu Sans comes with matplotlib; the others are asked for the letters it lacks.
_FONTS = (
    "DejaVu Sans", "Noto Sans CJK SC", "Noto Sans CJK JP", "PingFang SC", "Hiragino Sans",
    "Microsoft YaHei", "Malgun Gothic", "Noto Sans Arabic", "Noto Sans Devanagari",
    "Arial Unicode MS", "Noto Emoji", "Segoe UI Emoji",
)  # fmt: skip

STYLE = {
    "font.family": [font for font in _FONTS if font in set(font_manager.get_font_names())],
    "font.size": 10,
    "text.color": INK,
    "text.parse_math": False,  # a class may be called "$5 and $10"
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.7,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "lines.linewidth": 2,
    "figure.facecolor": "white",
}


@contextmanager
def styled() -> Iterator[None]:
    """As the decorator `@styled()`: the function draws in the look that all plots share."""
    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        # A letter that no font here has is drawn as a box; nothing the user could do about it.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def to_png(figure: Figure) -> bytes:
    """The content of a PNG file that shows a figure."""
    buffer = io.BytesIO()
    # Laid out here, once: `savefig` would draw everything a first time for that.
    if engine := figure.get_layout_engine():
        figure.set_dpi(DPI)
        engine.execute(figure)
        figure.set_layout_engine("none")
    # By this name it is told from people's pictures (`imagette.images.find_images`); without
    # versions, the same plot is the same file everywhere.
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": SOFTWARE})
    return buffer.getvalue()


def short(name: str, length: int = 22) -> str:
    """A class name on one line, cut after `length` letters so that it leaves room for the plot."""
    line = "".join(letter if letter.isprintable() else " " for letter in name).strip()
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"


def tile(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Fit an image into a square of `side` pixels, its proportions kept.

    Args:
        image: uint8 `(height, width, 3)`.
        side: longest side of the result, in pixels.

    Returns:
        uint8 `(height, width, 3)`: a small image enlarged a whole number of times, its pixels
        sharp; a large one shrunk.
    """
    height, width = image.shape[:2]
    longer = max(height, width)
    if scale := side // longer:
        return image.repeat(scale, axis=0).repeat(scale, axis=1)
    size = max(1, side * width // longer), max(1, side * height // longer)
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS))


def shrink(image: NDArray[np.uint8], most: int = 256) -> NDArray[np.uint8]:
    """An image, uint8 `(height, width, 3)`, shrunk where its longer side has over `most` pixels."""
    return tile(image, most) if max(image.shape[:2]) > most else image


@styled()
def contact_sheet(rows: list[tuple[str, list[NDArray[np.uint8]]]], title: str) -> bytes:
    """Draw rows of images, each with a text before it.

    Args:
        rows: the text, which may have several lines, and the uint8 `(height, width, 3)` images.
        title: what stands above all rows.

    Returns:
        A PNG file.
    """
    side, gap, margin, head = 128, 8, 24, 80
    columns = max(len(images) for _, images in rows)
    images_left = 2 * margin + max(_width_of(text, fontsize=9) for text, _ in rows)
    width = max(
        images_left + columns * (side + gap) - gap + margin,
        _width_of(title, fontsize=11, weight="bold") + 2 * margin,
    )
    height = head + len(rows) * (side + gap) - gap + margin
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
    figure.text(
        margin / width, 1 - head / 2 / height, title, va="center", fontsize=11, weight="bold"
    )
    for row, (text, images) in enumerate(rows):
        middle = height - head - row * (side + gap) - side // 2
        figure.text(margin / width, middle / height, text, va="center", fontsize=9)
        for column, image in enumerate(images):
            drawn = tile(image, side)
            left = images_left + column * (side + gap) + (side - drawn.shape[1]) // 2
            # Pixel for pixel: `imshow` would resample and blur what should be sharp.
            figure.figimage(drawn, left, middle - drawn.shape[0] // 2, origin="upper")
    return to_png(figure)


def _width_of(text: str, **style: Any) -> int:
    """Width of a text as it will be drawn, in pixels."""
    return round(Figure(dpi=DPI).text(0, 0, text, **style).get_window_extent().width)
