"""The parts of the page that Streamlit has no widget for, as HTML."""

import base64
import io
from html import escape

import numpy as np
from PIL import Image, ImageOps

from imagette.assets import Sample
from imagette.webapp.texts import Texts, percent
from imagette.wording import Language

_PREVIEW_SIZE = (640, 640)


def text(tag: str, kind: str, words: str) -> str:
    """Words as they are: a class may be called anything, and Markdown would read into it."""
    return f'<{tag} class="imagette-{kind}">{escape(words)}</{tag}>'


def uploader_style(texts: Texts) -> str:
    """Puts the page's words in the place of the English ones of Streamlit's upload widget."""
    return f"""<style>
      .st-key-upload [data-testid="stFileUploaderDropzone"]::before {{
        content: "{texts.drop_here}";
      }}
      .st-key-upload [data-testid="stBaseButton-secondary"]::after {{
        content: "{texts.browse}";
      }}
    </style>"""


def sample_styles(samples: list[Sample]) -> str:
    """Puts every sample picture on its button."""
    rules = (
        f".st-key-sample-{sample.path.stem} button {{ background-image: url({_png(sample)}) }}"
        for sample in samples
    )
    return f"<style>{' '.join(rules)}</style>"


def _png(sample: Sample) -> str:
    with Image.open(sample.path) as image:
        small = image.convert("RGB").resize((144, 144), Image.Resampling.LANCZOS)
    return _data_url(small, "WEBP")


def preview(picture: bytes) -> str | None:
    """A picture as a data URL that every browser shows; None if it cannot be made into one.

    Args:
        picture: the bytes of a file that the API has accepted, so it is not too large.
    """
    Image.preinit()
    Image.init()
    # EPS files are programs, not pictures.
    formats = [name for name in Image.ID if name != "EPS"]
    try:
        image = Image.open(io.BytesIO(picture), formats=formats)
        image.thumbnail(_PREVIEW_SIZE)
        return _data_url(_flatten(ImageOps.exif_transpose(image)), "WEBP")
    # Pillow raises nearly any exception; the page then shows only what the network saw.
    except Exception:
        return None


def _flatten(image: Image.Image) -> Image.Image:
    """Bring any mode to RGB, deep greyscale by its full range, transparency over white."""
    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image, dtype=np.float64)
        top = 65535 if values.max() > 255 else 255 if values.max() > 1 else 1
        image = Image.fromarray((values / top * 255).clip(0, 255).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def _data_url(image: Image.Image, kind: str) -> str:
    file = io.BytesIO()
    image.save(file, format=kind)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(file.getvalue()).decode()}"


def pictures(shown: str | None, seen: str, alt: str, size: dict[str, int], texts: Texts) -> str:
    """The picture and, beside it, the few pixels that the network saw of it.

    Args:
        shown: the picture as a data URL, if it can be shown.
        seen: what the network saw, as a data URL.
        alt: what the picture shows, for those who do not see it.
        size: `height` and `width` of what the network sees.
        texts: in which language to name them.
    """
    figures = [
        _figure(shown, alt, texts.your_picture, "") if shown else "",
        _figure(
            seen, texts.network_sees, texts.network_sees, texts.network_sees_help.format(**size)
        ),
    ]
    return f'<div class="imagette-pictures">{"".join(figures)}</div>'


def _figure(url: str, alt: str, title: str, note: str) -> str:
    return (
        f'<figure><img src="{escape(url)}" alt="{escape(alt)}">'
        f"<figcaption>{escape(title)}<small>{escape(note)}</small></figcaption></figure>"
    )


def bars(ranking: list[tuple[str, float]], language: Language) -> str:
    """A bar for each class, the most probable first."""
    rows = (
        f'<li><span class="name">{escape(name)}</span>'
        f'<span class="track"><span style="width: {100 * probability:.1f}%"></span></span>'
        f'<span class="percent">{escape(percent(probability, language))}</span></li>'
        for name, probability in ranking
    )
    return f'<ol class="imagette-bars">{"".join(rows)}</ol>'
