"""`imagette predict`."""

import errno
import io
import os
import shlex
import sys
from collections.abc import Generator, Iterator
from contextlib import closing, nullcontext
from itertools import count, groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imagette.cli.console import duration, say, stoppable, to_json
from imagette.cli.options import ModelOption
from imagette.errors import ImageError, ImagetteError
from imagette.interrupts import ctrl_c_ends_at_once
from imagette.wording import listed, without_controls

if TYPE_CHECKING:
    from imagette.cli.predict_progress import PredictProgress
    from imagette.images.find_images import LeftOut
    from imagette.inference.answering_processes import AnsweringProcesses, Picture, Row
    from imagette.inference.classifier import Classifier, Explanation
    from imagette.inference.row_file import RowFile

_MANY = 256
"""Files in a folder, from which on several processes answer; fewer are answered before those have
begun."""


def predict(
    pictures: Annotated[
        list[str], typer.Argument(metavar="PICTURE...", help="Files, folders, or - for stdin.")
    ],
    model: ModelOption = None,
    explain: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Also draw where in each picture lies what decided: NAME-why.png in this folder.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write the answers to a file, .jsonl (JSON Lines) or .csv. Run again with the same"
            " file, the command goes on where it stopped: pictures whose path is in it are left"
            " out.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON Lines on stdout, one for each picture.")
    ] = False,
) -> None:
    """Say what pictures show, the likeliest classes first."""
    if out and as_json:
        raise ImagetteError(
            "--json prints the answers and --out writes them to a file.", "Give one of them."
        )
    _refuse_mistyped(pictures)
    processes = None if explain else _begin_processes(pictures)
    with processes or nullcontext():
        unreadable = _predict(pictures, model, explain, out, as_json, processes)
    if unreadable:
        raise typer.Exit(1)


def _predict(
    pictures: list[str],
    model: ModelOption,
    drawings: Path | None,
    out: Path | None,
    as_json: bool,
    processes: "AnsweringProcesses | None",
) -> int:
    """Answer; how many pictures could not be read, with those in a file that is gone on with."""
    from imagette.inference.answering_processes import loading_quickly

    with ctrl_c_ends_at_once(), loading_quickly():
        from imagette.cli.predict_progress import PredictProgress
        from imagette.inference.batch import model_digest, predict_files
        from imagette.inference.classifier import Classifier
        from imagette.inference.row_file import RowFile

    classifier = Classifier(model)

    def answers(pictures: list["Picture"]) -> Generator[list["Row"], None, None]:
        if drawings:
            return _explained(classifier, pictures, drawings)
        return predict_files(classifier, pictures, processes)

    found = list(_sources(pictures))
    if out is None:
        return _answer(answers(found), PredictProgress(len(found), prints=True), as_json, None)
    with RowFile(out, classifier.class_names, model_digest(classifier)) as file:
        # What came from stdin has no name to know it by.
        new = [one for one in found if isinstance(one[1], bytes) or not file.holds(one[0])]
        if len(new) < len(found):
            done = f"{len(found) - len(new):,} pictures are already answered in {out}"
            say(f"{done}; going on with the others.")
        _answer(answers(new), PredictProgress(len(new), prints=False), as_json, file)
        return file.unreadable


def _begin_processes(pictures: list[str]) -> "AnsweringProcesses | None":
    """Processes that load their modules while this one loads its own and finds the pictures; None
    where it is not sure that several are worth while."""
    files = (file for one in pictures for _, _, names in os.walk(one) for file in names)
    if len(pictures) + len(list(islice(files, _MANY))) < _MANY:
        return None
    from imagette.inference.answering_processes import AnsweringProcesses, available_cores

    return AnsweringProcesses() if available_cores() > 1 else None


def _refuse_mistyped(pictures: list[str]) -> None:
    """Say so before anything is written; what cannot be read for another reason has a row."""
    missing = [one for one in pictures if one != "-" and _is_missing(one)]
    if missing:
        raise ImagetteError(
            f"There is no file or folder {listed(missing, 'en', 3)}.",
            "Check how that is spelled, then run the command again; nothing was answered yet.",
        )


def _is_missing(path: str) -> bool:
    try:
        os.stat(path)  # noqa: PTH116 (which fails on names that cannot be one, too)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return True
    except OSError as error:
        return error.errno == errno.ENAMETOOLONG
    return False


def _answer(
    answers: Generator[list["Row"], None, None],
    shown: "PredictProgress",
    as_json: bool,
    file: "RowFile | None",
) -> int:
    """Print or write a row for each picture; how many could not be read."""
    unreadable = 0
    with (
        shown,
        stoppable(lambda: _say_stopped(shown, file)),
        closing(answers),
    ):
        for rows in answers:
            if file is not None:
                file.write(rows)
            elif as_json:
                shown.print_lines([to_json(row) for row in rows])
            else:
                _print_words(rows, shown)
            unreadable += sum("error" in row for row in rows)
            shown.advance(len(rows))
    if file is not None:
        _say_done(shown, file, unreadable)
    return unreadable


def _explained(
    classifier: "Classifier", pictures: list["Picture"], drawings: Path
) -> Generator[list["Row"], None, None]:
    """A row a picture, with the file where its heat map is drawn; each costs many answers."""
    from imagette.inference.batch import model_digest, to_row

    model = model_digest(classifier)
    for name, picture in pictures:
        try:
            explanation = classifier.explain(picture)
        except ImageError as error:
            yield [to_row(name, error, model)]
            continue
        row = to_row(name, explanation.prediction, model)
        row["explanation"] = str(_draw_why(explanation, name, picture, drawings))
        yield [row]


def _print_words(rows: list["Row"], shown: "PredictProgress") -> None:
    """What a row says, for people: on stdout, and on stderr for a picture that cannot be read."""
    for error, some in groupby(rows, key=lambda row: "error" in row):
        if error:
            shown.say_lines([f"{row['file']}: {row['error']} {row['remedy']}" for row in some])
        else:
            shown.print_lines([without_controls(line) for row in some for line in _in_words(row)])


def _in_words(row: "Row") -> Iterator[str]:
    best = sorted(row["probabilities"].items(), key=lambda item: -item[1])[:3]
    closest = ", ".join(f"{label} {value:.1%}" for label, value in best)
    if row["known"] is False:
        closest = f"none of these, by its familiarity of {row['familiarity']:.1%}; {closest}"
    yield f"{row['file']}: {closest}"
    if "explanation" in row:
        yield f"  why: {row['explanation']}"


def _say_stopped(shown: "PredictProgress", file: "RowFile | None") -> None:
    shown.stop()
    if file is None:
        say(f"Stopped after {shown.done:,} of {shown.total:,} pictures.")
        return
    say(
        f"Stopped after {shown.done:,} of {shown.total:,} pictures; their answers are in"
        f" {file.path}. Go on with: {shlex.join(['imagette', *sys.argv[1:]])}"
    )


def _say_done(shown: "PredictProgress", file: "RowFile", unreadable: int) -> None:
    speed = f" ({shown.done / shown.seconds:,.0f}/s)" if shown.done > 1 else ""
    pictures = "1 picture" if shown.done == 1 else f"{shown.done:,} pictures"
    say(f"{pictures} answered in {duration(shown.seconds)}{speed}: {file.path}")
    if unreadable:
        say(f"{unreadable:,} of them cannot be read; their rows have an `error`.")


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
