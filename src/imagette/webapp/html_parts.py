"""The parts of the page that Streamlit has no widget for, as HTML.

Class names and names of files are escaped: they are text, never markup.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from imagette.webapp.literal import in_html
from imagette.webapp.previews import Preview
from imagette.webapp.sentences import Ranking, confidence_percent
from imagette.webapp.texts import Texts

_FOLDER = Path(__file__).parent
_FILES = ("uploads.js", "popovers.js", "page.js")
_PAGE = "".join((_FOLDER / name).read_text(encoding="utf-8") for name in _FILES)
_VIEW = "imagettePage.show()"

SCRIPTS = (_PAGE, _VIEW)
"""The scripts in what is below, which browsers know by their digests: they never change."""

_FEW = 5  # classes whose names stand side by side above a confusion matrix
_MAX_BARS = 10  # more classes than this are folded away

NO_IMAGE = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 9 9'%3E"
    "%3Ctext x='4.5' y='6.5' font-size='6' text-anchor='middle' fill='gray'%3E?%3C/text%3E"
    "%3C/svg%3E"
)
"""What is shown in the place of an image that could not be read, as a data URL."""

Tile = tuple[str, str | None, str]
"""The place on the page that it leads to, a small image as a data URL, and a short answer."""


def script(texts: Texts, limits: Mapping[str, int]) -> str:
    """What makes the page tell the browser where it is and in which language, and make large files
    smaller before they are sent; see the files of scripts.

    Args:
        texts: the page's.
        limits: of the API; empty if not known.
    """
    return (
        f'<div id="imagette-page" data-language="{texts.language}"'
        f' data-pages="{in_html(texts.pages)}" data-preparing="{in_html(texts.preparing)}"'
        f' data-not-sent="{in_html(texts.not_sent)}"'
        f' data-bytes="{limits.get("max_upload_bytes", "")}"'
        f' data-pixels="{limits.get("max_pixels", "")}"></div><script>{_PAGE}</script>'
    )


def bring_into_view(number: int, key: str) -> str:
    """Scrolls to what has a key and has it read aloud, once for every number."""
    return (
        f'<div id="imagette-view" data-number="{number}" data-key="{key}"></div>'
        f"<script>{_VIEW}</script>"
    )


def tile_names(names: Mapping[str, str], opened: str) -> str:
    """Tells page.js what the images are called that are buttons, and which of them is open.

    Args:
        names: by the buttons' keys.
        opened: the key of one, or empty.
    """
    told = in_html(json.dumps(names))
    return f'<div id="imagette-tiles" data-names="{told}" data-opened="{opened}"></div>'


def text(tag: str, kind: str, words: str) -> str:
    """Words as they are: a class may be called anything, and Markdown would read into it."""
    return f'<{tag} class="imagette-{kind}">{in_html(words)}</{tag}>'


def section(title: str) -> str:
    """A heading within a tab."""
    return text("h2", "section", title)


def paragraphs(sentences: Iterable[str]) -> str:
    """Sentences, each in a paragraph of its own."""
    return "".join(text("p", "fact", sentence) for sentence in sentences)


def bullets(sentences: Iterable[str]) -> str:
    """Sentences as a list."""
    return f'<ul class="imagette-list">{"".join(f"<li>{in_html(s)}</li>" for s in sentences)}</ul>'


def images(
    shown: Preview | None,
    heat_map: str | None,
    seen: str,
    alt: str,
    best: str,
    size: dict[str, int],
    texts: Texts,
) -> str:
    """The image, under the map of what decided, and beside it what the network saw of it.

    Args:
        shown: the image, if it can be shown.
        heat_map: what decided, as a data URL to lay over the image, if there is that.
        seen: what the network saw, as a data URL.
        alt: what the image shows, for those who do not see it.
        best: name of the class that the map is about.
        size: `height` and `width` of what the network sees.
        texts: in which language to name them.
    """
    figures = ""
    if shown and heat_map:
        note = texts.what_decided_help.format(name=best)
        slider = (
            f'<label class="imagette-opacity">{in_html(texts.opacity)}'
            '<input type="range" min="0" max="100" step="5" value="60"></label>'
        )
        figures = _figure(_stack(shown, alt, heat_map), texts.what_decided, note, slider)
    elif shown:
        figures = _figure(_stack(shown, alt, None), texts.your_image)
    pixels = f'<img class="seen" src="{in_html(seen)}" alt="{in_html(texts.network_sees)}">'
    figures += _figure(pixels, texts.network_sees, texts.network_sees_help.format(**size))
    return f'<div class="imagette-images">{figures}</div>'


def _figure(image: str, title: str, note: str = "", control: str = "") -> str:
    return (
        f'<figure><div class="frame">{image}</div><figcaption>{in_html(title)}'
        f"<small>{in_html(note)}</small></figcaption>{control}</figure>"
    )


def _stack(shown: Preview, alt: str, heat_map: str | None) -> str:
    """The image with the map exactly over it, as large as a square frame lets it be."""
    side = "width" if shown.width >= shown.height else "height"
    layer = f'<img class="heat" src="{in_html(heat_map)}" alt="">' if heat_map else ""
    return (
        f'<div class="stack" style="{side}: 100%; aspect-ratio: {shown.width} / {shown.height}">'
        f'<img src="{in_html(shown.url)}" alt="{in_html(alt)}">{layer}</div>'
    )


def bars(ranking: Ranking, known: bool | None, texts: Texts) -> str:
    """A bar for each class, the most probable first; beyond ten, the rest is folded away.

    Args:
        ranking: the classes.
        known: False tones the bars down, since the image looks like none of the classes.
        texts: in which language to write the numbers.
    """
    first, rest = ranking[:_MAX_BARS], ranking[_MAX_BARS:]
    shown = _bar_list(first, texts)
    if rest:
        summary = in_html(texts.other_classes.format(count=len(rest)))
        shown += f"<details><summary>{summary}</summary>{_bar_list(rest, texts)}</details>"
    return f'<div class="imagette-toned-down">{shown}</div>' if known is False else shown


def _bar_list(ranking: Ranking, texts: Texts) -> str:
    rows = (bar(name, probability, texts) for name, probability in ranking)
    return f'<ol class="imagette-bars">{"".join(rows)}</ol>'


def bar(name: str, probability: float, texts: Texts, kind: str = "") -> str:
    """One bar of a list of them; its kind is said to style sheets."""
    kind = f' class="{kind}"' if kind else ""
    return (
        f'<li{kind}><span class="name">{in_html(name)}</span>'
        f'<span class="track"><span style="width: {100 * probability:.1f}%"></span></span>'
        f'<span class="percent">{in_html(confidence_percent(probability, texts))}</span></li>'
    )


def familiarity(value: float, threshold: float, known: bool, texts: Texts) -> str:
    """How familiar the image is, as a gauge with a mark where "none of these" begins.

    Args:
        value: 0 to 1.
        threshold: where the mark is, 0 to 1.
        known: whether the value reaches it.
        texts: in which language to explain it.
    """
    label = texts.familiarity_value.format(
        value=round(100 * value), threshold=round(100 * threshold)
    )
    note = texts.familiarity_known if known else texts.familiarity_unknown
    return (
        f'<div class="imagette-familiarity"><div class="title">{in_html(texts.familiarity)}</div>'
        f'<div class="gauge" role="img" aria-label="{in_html(label)}">'
        f'<span class="value" style="width: {100 * value:.1f}%"></span>'
        f'<span class="mark" style="left: {100 * threshold:.1f}%"></span></div>'
        f"<small>{in_html(note)}</small></div>"
    )


def tiles(items: Iterable[Tile]) -> str:
    """Small images in a row, each a link to its whole answer."""
    links = (
        f'<li><a href="#{in_html(target)}">'
        + (f'<img src="{in_html(image)}" alt="">' if image else "<b>?</b>")
        + f"<span>{in_html(words)}</span></a></li>"
        for target, image, words in items
    )
    return f'<ul class="imagette-tiles">{"".join(links)}</ul>'


def table(header: Iterable[str], rows: Iterable[Sequence[str]], label: str) -> str:
    """A table; the first cell of each row names the row. Where it is too wide, it scrolls."""
    head = "".join(f'<th scope="col">{in_html(cell)}</th>' for cell in header)
    body = "".join(
        f'<tr><th scope="row">{in_html(first)}</th>'
        + "".join(f"<td>{in_html(cell)}</td>" for cell in rest)
        + "</tr>"
        for first, *rest in rows
    )
    return _scrolling(
        f'<table class="imagette-table"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table>",
        label,
    )


def confusion(counts: list[list[int]], names: list[str], texts: Texts) -> str:
    """The confusion matrix as a table whose cells are shaded by their share of the row.

    Args:
        counts: numbers of images, one row for each true class.
        names: of the classes.
        texts: in which language to write the numbers and to name rows and columns.
    """
    columns = "".join(f'<th scope="col"><span>{in_html(name)}</span></th>' for name in names)
    rows = []
    for place, (name, row) in enumerate(zip(names, counts, strict=True)):
        total = max(sum(row), 1)
        cells = (
            f'<td class="{"right" if column == place else "wrong"}"'
            # The square root lets mistakes, which are few, be seen.
            f' style="--share: {(count / total) ** 0.5:.3f}">'
            f"{texts.number(count) if count else ''}</td>"
            for column, count in enumerate(row)
        )
        rows.append(f'<tr><th scope="row"><div>{in_html(name)}</div></th>{"".join(cells)}</tr>')
    few = f' few" style="--classes: {len(names)}' if len(names) <= _FEW else ""
    corner = in_html(texts.confusion_corner)
    return _scrolling(
        f'<table class="imagette-confusion{few}"><thead><tr><td>{corner}</td>'
        f"{columns}</tr></thead><tbody>{''.join(rows)}</tbody></table>",
        texts.confusion,
    )


def _scrolling(content: str, label: str) -> str:
    """What is too wide for a phone scrolls by itself, with the keyboard too."""
    return (
        f'<div class="imagette-scroll" role="region" tabindex="0" aria-label="{in_html(label)}">'
        f"{content}</div>"
    )


def confusion_picture(url: str, texts: Texts) -> str:
    """The confusion matrix of many classes, a dot for each cell."""
    alt = in_html(texts.confusion_alt)
    return f'<img class="imagette-matrix" src="{in_html(url)}" alt="{alt}">'


def examples(name: str, urls: list[str], tiny: bool, texts: Texts) -> str:
    """Images of one class in a row, under its name.

    Args:
        name: of the class.
        urls: of the images, as data URLs.
        tiny: whether they are so small that each of their pixels is to be seen.
        texts: in which language to name them.
    """
    row = "".join(
        f'<img src="{in_html(url)}" alt="{in_html(texts.example.format(name=name, number=place))}">'
        for place, url in enumerate(urls, start=1)
    )
    kind = " tiny" if tiny else ""
    return f'<h3>{in_html(name)}</h3><div class="imagette-examples{kind}">{row}</div>'
