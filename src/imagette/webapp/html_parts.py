"""The parts of the page that Streamlit has no widget for, as HTML.

Class names and names of files are escaped: they are text, never markup.
"""

import base64
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from imagette.assets import Sample
from imagette.images.colour import BACKGROUND
from imagette.images.open import open_file
from imagette.webapp.texts import Texts, percent
from imagette.wording import Language, number

_PREVIEW_SIZE = (640, 640)
_THUMBNAIL_SIZE = (160, 160)
_SCRIPT = Path(__file__).with_name("page.js").read_text(encoding="utf-8")
_MOST_BARS = 10  # more classes than this are folded away


@dataclass(frozen=True)
class Preview:
    """A picture as every browser shows it.

    Attributes:
        url: the picture as a data URL, at most 640 pixels wide and high.
        thumbnail: the same at most 160 pixels wide and high.
        width: in pixels, of the one at `url`.
        height: in pixels, of the one at `url`.
    """

    url: str
    thumbnail: str
    width: int
    height: int


def script(language: Language, texts: Texts) -> str:
    """What makes the page tell the browser where it is and in which language; see page.js."""
    arrival = f"imagettePage.arrive({json.dumps(language)}, {json.dumps(texts.pages)})"
    return f"<script>{_SCRIPT} {arrival}</script>"


def bring_into_view(turn: int) -> str:
    """Scrolls to the answers and has them read aloud, once for every `turn`."""
    return f"<script>imagettePage.show({turn})</script>"


def text(tag: str, kind: str, words: str) -> str:
    """Words as they are: a class may be called anything, and Markdown would read into it."""
    return f'<{tag} class="imagette-{kind}">{escape(words)}</{tag}>'


def paragraphs(sentences: Iterable[str]) -> str:
    """Sentences, each in a paragraph of its own."""
    return "".join(text("p", "fact", sentence) for sentence in sentences)


def bullets(sentences: Iterable[str]) -> str:
    """Sentences as a list."""
    return f'<ul class="imagette-list">{"".join(f"<li>{escape(s)}</li>" for s in sentences)}</ul>'


def widget_words(texts: Texts) -> str:
    """Puts the page's words in the place of the English ones of Streamlit's widgets."""
    words = {
        '[data-testid="stFileUploaderDropzone"]::before': texts.drop_here,
        '[data-testid="stFileUploaderDropzone"] button::after': texts.browse,
        '[data-testid="stCameraInputButton"]::after': texts.camera_take,
        '[data-testid="stCameraInputWebcamStyledBox"]:not(:has(video))::after': texts.camera_allow,
    }
    rules = (f'{place} {{ content: "{word}"; }}' for place, word in words.items())
    return f"<style>{' '.join(rules)}</style>"


def drop_words(key: str, words: str) -> str:
    """Puts words of its own on the box of the file uploader in the container of a key.

    A class may be called anything, so they are written as CSS escapes.
    """
    escaped = "".join(letter if letter.isalnum() else f"\\{ord(letter):x} " for letter in words)
    place = f'.st-key-{key} [data-testid="stFileUploaderDropzone"]::before'
    return f'<style>{place} {{ content: "{escaped}" !important; }}</style>'


def collected(name: str, told: str, share: float) -> str:
    """How many pictures there are of a class, with a bar that fills up to 1."""
    width = 100 * min(share, 1.0)
    kind = " done" if share >= 1 else ""
    return (
        f'<div class="imagette-collected{kind}"><h3>{escape(name)}</h3>'
        f'<span class="told">{escape(told)}</span>'
        f'<span class="track"><span style="width: {width:.0f}%"></span></span></div>'
    )


def button_pictures(urls: dict[str, str]) -> str:
    """Puts a picture on each of some buttons.

    Args:
        urls: what to show, as data URLs, by the buttons' keys.
    """
    rules = (
        f".st-key-{key} button {{ background-image: url({url}) }}" for key, url in urls.items()
    )
    return f"<style>{' '.join(rules)}</style>"


def sample_picture(sample: Sample) -> str:
    """A sample, small, as a data URL."""
    with Image.open(sample.path) as image:
        small = image.convert("RGB").resize((144, 144), Image.Resampling.LANCZOS)
    return _data_url(small, "WEBP")


def preview(picture: bytes) -> Preview | None:
    """A picture as every browser shows it; None if it cannot be made into that.

    Args:
        picture: the bytes of a file that the API has accepted, so it is not too large.
    """
    try:
        opened = open_file(io.BytesIO(picture))
        opened.thumbnail(_PREVIEW_SIZE)
        image = _flatten(ImageOps.exif_transpose(opened))
    # Pillow raises nearly any exception; the page then shows only what the network saw.
    except Exception:
        return None
    small = image.copy()
    small.thumbnail(_THUMBNAIL_SIZE)
    return Preview(_data_url(image, "WEBP"), _data_url(small, "WEBP"), *image.size)


def _flatten(image: Image.Image) -> Image.Image:
    """Bring any mode to RGB, deep greyscale by its full range, transparency over grey."""
    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image, dtype=np.float64)
        top = 65535 if values.max() > 255 else 255 if values.max() > 1 else 1
        image = Image.fromarray((values / top * 255).clip(0, 255).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, BACKGROUND), image)
    return image.convert("RGB")


def _data_url(image: Image.Image, kind: str) -> str:
    file = io.BytesIO()
    image.save(file, format=kind)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(file.getvalue()).decode()}"


def pictures(
    shown: Preview | None,
    heat_map: str | None,
    seen: str,
    alt: str,
    best: str,
    size: dict[str, int],
    texts: Texts,
) -> str:
    """The picture, under the map of what decided, and beside it what the network saw of it.

    Args:
        shown: the picture, if it can be shown.
        heat_map: what decided, as a data URL to lay over the picture, if there is that.
        seen: what the network saw, as a data URL.
        alt: what the picture shows, for those who do not see it.
        best: name of the class that the map is about.
        size: `height` and `width` of what the network sees.
        texts: in which language to name them.
    """
    figures = []
    if shown and heat_map:
        note = texts.what_decided_help.format(name=best)
        picture = _stack(shown, alt, heat_map)
        figures.append(_figure(picture, texts.what_decided, note, _opacity_slider(texts)))
    elif shown:
        figures.append(_figure(_stack(shown, alt, None), texts.your_picture))
    pixels = (
        f'<div class="frame"><img class="seen" src="{escape(seen)}"'
        f' alt="{escape(texts.network_sees)}"></div>'
    )
    note = texts.network_sees_help.format(**size)
    figures.append(_figure(pixels, texts.network_sees, note))
    return f'<div class="imagette-pictures">{"".join(figures)}</div>'


def _figure(picture: str, title: str, note: str = "", control: str = "") -> str:
    return (
        f"<figure>{picture}<figcaption>{escape(title)}"
        f"<small>{escape(note)}</small></figcaption>{control}</figure>"
    )


def _stack(shown: Preview, alt: str, heat_map: str | None) -> str:
    """The picture with the map exactly over it, as large as a square frame lets it be."""
    side = "width" if shown.width >= shown.height else "height"
    layer = f'<img class="heat" src="{escape(heat_map)}" alt="">' if heat_map else ""
    return (
        f'<div class="frame"><div class="stack" style="{side}: 100%;'
        f' aspect-ratio: {shown.width} / {shown.height}">'
        f'<img src="{escape(shown.url)}" alt="{escape(alt)}">{layer}</div></div>'
    )


def _opacity_slider(texts: Texts) -> str:
    return (
        f'<label class="imagette-opacity">{escape(texts.opacity)}'
        '<input type="range" min="0" max="100" step="5" value="60"></label>'
    )


def bars(ranking: list[tuple[str, float]], language: Language, texts: Texts) -> str:
    """A bar for each class, the most probable first; beyond ten, the rest is folded away."""
    first, rest = ranking[:_MOST_BARS], ranking[_MOST_BARS:]
    shown = _bar_list(first, language)
    if not rest:
        return shown
    summary = escape(texts.other_classes.format(count=len(rest)))
    return f"{shown}<details><summary>{summary}</summary>{_bar_list(rest, language)}</details>"


def _bar_list(ranking: list[tuple[str, float]], language: Language) -> str:
    rows = (
        f'<li><span class="name">{escape(name)}</span>'
        f'<span class="track"><span style="width: {100 * probability:.1f}%"></span></span>'
        f'<span class="percent">{escape(percent(probability, language))}</span></li>'
        for name, probability in ranking
    )
    return f'<ol class="imagette-bars">{"".join(rows)}</ol>'


def familiarity(value: float, threshold: float, known: bool, texts: Texts) -> str:
    """How familiar the picture is, as a gauge with a mark where "none of these" begins.

    Args:
        value: 0 to 1.
        threshold: where the mark is, 0 to 1.
        known: whether the value reaches it.
        texts: in which language to explain it.
    """
    told = texts.familiarity_value.format(
        value=round(100 * value), threshold=round(100 * threshold)
    )
    note = texts.familiarity_known if known else texts.familiarity_unknown
    return (
        f'<div class="imagette-familiarity"><div class="title">{escape(texts.familiarity)}</div>'
        f'<div class="gauge" role="img" aria-label="{escape(told)}">'
        f'<span class="value" style="width: {100 * value:.1f}%"></span>'
        f'<span class="mark" style="left: {100 * threshold:.1f}%"></span></div>'
        f"<small>{escape(note)}</small></div>"
    )


@dataclass(frozen=True)
class Tile:
    """A small picture with a short answer, which leads to the whole answer."""

    target: str
    picture: str | None
    words: str


def tiles(items: Sequence[Tile]) -> str:
    """Small pictures in a row, each a link to the place of the page called `target`."""
    links = (
        f'<li><a href="#{escape(item.target)}">'
        + (f'<img src="{escape(item.picture)}" alt="">' if item.picture else "<b>?</b>")
        + f"<span>{escape(item.words)}</span></a></li>"
        for item in items
    )
    return f'<ul class="imagette-tiles">{"".join(links)}</ul>'


def table(
    header: Sequence[str], rows: Iterable[Sequence[str]], label: str, kind: str = "plain"
) -> str:
    """A table; the first cell of each row names the row. Where it is too wide, it scrolls."""
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in header)
    body = "".join(
        f'<tr><th scope="row">{escape(first)}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in rest)
        + "</tr>"
        for first, *rest in rows
    )
    return _scrolling(
        f'<table class="imagette-table {kind}"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table>",
        label,
    )


def confusion(counts: list[list[int]], names: list[str], language: Language, texts: Texts) -> str:
    """The confusion matrix as a table whose cells are shaded by their share of the row.

    Args:
        counts: numbers of pictures, one row for each true class.
        names: of the classes.
        language: in which to write the numbers.
        texts: in which language to name rows and columns.
    """
    columns = "".join(f'<th scope="col"><span>{escape(name)}</span></th>' for name in names)
    rows = []
    for place, (name, row) in enumerate(zip(names, counts, strict=True)):
        total = max(sum(row), 1)
        cells = (
            f'<td class="{"right" if column == place else "wrong"}"'
            # The square root lets mistakes, which are few, be seen.
            f' style="--share: {(count / total) ** 0.5:.3f}">'
            f"{number(count, language) if count else ''}</td>"
            for column, count in enumerate(row)
        )
        rows.append(f'<tr><th scope="row">{escape(name)}</th>{"".join(cells)}</tr>')
    return _scrolling(
        f'<table class="imagette-confusion"><thead><tr><td>{escape(texts.confusion_corner)}</td>'
        f"{columns}</tr></thead><tbody>{''.join(rows)}</tbody></table>",
        texts.confusion,
    )


def _scrolling(content: str, label: str) -> str:
    """What is too wide for a phone scrolls by itself, with the keyboard too."""
    return (
        f'<div class="imagette-scroll" role="region" tabindex="0" aria-label="{escape(label)}">'
        f"{content}</div>"
    )


def examples(name: str, urls: list[str], texts: Texts) -> str:
    """Pictures of one class in a row, under its name."""
    images = "".join(
        f'<img src="{escape(url)}" alt="{escape(texts.example.format(name=name, number=place))}">'
        for place, url in enumerate(urls, start=1)
    )
    return f'<h3>{escape(name)}</h3><div class="imagette-examples">{images}</div>'
