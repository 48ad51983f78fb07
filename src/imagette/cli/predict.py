"""`imagette predict`."""

import io
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imagette.cli.console import print_line, say
from imagette.cli.options import JsonOption, ModelOption
from imagette.errors import ImageError, ImagetteError

if TYPE_CHECKING:
    from imagette.images.find_images import LeftOut
    from imagette.inference.classifier import Classifier, Explanation, Prediction


def predict(
    pictures: Annotated[
        list[str], typer.Argument(metavar="PICTURE...", help="Files, folders, or - for stdin.")
    ],
    model: ModelOption = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Also draw where in each picture lies what decided.")
    ] = False,
    out: Annotated[
        Path, typer.Option(help="Folder for what --explain draws, NAME-why.png each.")
    ] = Path(),
    as_json: JsonOption = False,
) -> None:
    """Say what pictures show, the likeliest classes first."""
    from imagette.inference.classifier import Classifier

    drawings = out if explain else None
    answers = list(_answers(Classifier(model), pictures, drawings, show=not as_json))
    if as_json:
        print(json.dumps(answers, indent=2, ensure_ascii=False))
    if any("error" in answer for answer in answers):
        raise typer.Exit(1)


def _answers(
    classifier: "Classifier", pictures: list[str], drawings: Path | None, show: bool
) -> Iterator[dict[str, Any]]:
    """An answer for each picture, in order, unreadable ones in their place."""
    for name, picture in _sources(pictures):
        try:
            explanation = classifier.explain(picture) if drawings else None
            prediction = explanation.prediction if explanation else classifier.predict(picture)
        except ImageError as error:
            yield {"file": name, "error": error.problem, "remedy": error.remedy}
            if show:
                say(f"{name}: {error.problem} {error.remedy}")
            continue
        answer = {"file": name, **asdict(prediction)}
        if show:
            print_line(f"{name}: {_in_words(prediction)}")
        if drawings and explanation:
            answer["explanation"] = str(_draw_why(explanation, name, picture, drawings))
            if show:
                print_line(f"  why: {answer['explanation']}")
        yield answer


def _in_words(prediction: "Prediction") -> str:
    best = sorted(prediction.probabilities.items(), key=lambda item: -item[1])[:3]
    closest = ", ".join(f"{label} {value:.1%}" for label, value in best)
    if prediction.known is False:
        return f"none of these, by its familiarity of {prediction.familiarity:.1%}; {closest}"
    return closest


def _draw_why(explanation: "Explanation", name: str, picture: str | bytes, folder: Path) -> Path:
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
    path = _free(folder / f"{Path(name).stem}-why.png")
    write_bytes(path, file.getvalue())
    return path


def _free(path: Path) -> Path:
    """The path, or a numbered one where that is taken: nothing is written over."""
    numbered = (path.with_stem(f"{path.stem}-{number}") for number in count(2))
    return path if not path.exists() else next(one for one in numbered if not one.exists())


def _sources(pictures: list[str]) -> Iterator[tuple[str, str | bytes]]:
    """Name and contents of each picture; folders give the pictures in them."""
    from imagette.images.find_images import find_images

    for picture in pictures:
        if picture == "-":
            yield "stdin", sys.stdin.buffer.read()
        elif Path(picture).is_dir():
            found = find_images(Path(picture))
            left_out = _count_left_out(found.left_out)
            if not found.images:
                raise ImagetteError(
                    f"There are no pictures in {picture}{left_out and f' ({left_out})'}.",
                    "Name a folder that holds some.",
                )
            if left_out:
                say(f"In {picture} {left_out}.")
            yield from ((str(path), str(path)) for path in found.images)
        else:
            yield picture, picture


def _count_left_out(left_out: "LeftOut") -> str:
    """How many files were left out, with the first one and why; empty where none was."""
    if not left_out:
        return ""
    path, reason = left_out[0]
    number = "1 file was" if len(left_out) == 1 else f"{len(left_out):,} files were"
    first = "" if len(left_out) == 1 else ", the first"
    return f"{number} left out{first}: {path} {reason.rstrip('.')}"
