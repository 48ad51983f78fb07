"""Heat maps of what decided, for `imagette predict --explain`."""

import io
from collections.abc import Generator, Iterable
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from imagette.errors import ImageError

if TYPE_CHECKING:
    from imagette.images.formats import ImageInput
    from imagette.inference.answering_processes import Picture, Row
    from imagette.inference.classifier import Classifier, Explanation


def explained(
    classifier: "Classifier", pictures: "Iterable[Picture]", drawings: Path
) -> Generator[list["Row"], None, None]:
    """A row a picture, with the file where its heat map is drawn; each costs many answers."""
    from imagette.inference.batch import model_digest, to_row
    from imagette.inference.sorted_copies import copy_name

    model = model_digest(classifier)
    for name, picture in pictures:
        try:
            if isinstance(picture, ImageError):
                raise picture
            explanation = classifier.explain(picture)
        except ImageError as error:
            yield [to_row(name, error, model)]
            continue
        row = to_row(name, explanation.prediction, model)
        path = drawings / f"{Path(copy_name(name, picture)).stem}-why.png"
        row["explanation"] = str(_draw(explanation, picture, path))
        yield [row]


def _draw(explanation: "Explanation", picture: "ImageInput", path: Path) -> Path:
    """Write the picture with its heat map over it; the file that was written."""
    from PIL.PngImagePlugin import PngInfo

    from imagette.files import SOFTWARE, write_bytes
    from imagette.images.open_image import open_image
    from imagette.inference.explain import overlay

    image = open_image(picture).to_rgb()
    image.thumbnail((1024, 1024))
    enlarged = max(1, 256 // max(image.size))  # a picture of 32 pixels would show nothing
    image = image.resize((image.width * enlarged, image.height * enlarged), resample=0)
    file = io.BytesIO()
    signature = PngInfo()
    signature.add_text("Software", SOFTWARE)  # so that it is never taken for a picture to answer
    overlay(image, explanation.heat).save(file, format="PNG", pnginfo=signature)
    path = _free(path)
    write_bytes(path, file.getvalue())
    return path


def _free(path: Path) -> Path:
    """The path, or a numbered one where that is taken: nothing is written over."""
    numbered = (path.with_stem(f"{path.stem}-{number}") for number in count(2))
    return path if not path.exists() else next(one for one in numbered if not one.exists())
