"""`imagette predict`."""

import shlex
import sys
from collections import Counter
from collections.abc import Callable, Generator, Iterable
from contextlib import ExitStack, closing, nullcontext
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING

import typer

from imagette.cli.cluster_options import RayAddressOption, RayOption
from imagette.cli.console import duration, err, say, stoppable, to_json
from imagette.cli.options import ModelOption
from imagette.cli.predict_on_cluster import predict_on_cluster, refuse_other_options
from imagette.cli.predict_options import (
    EVERY,
    AllowPrivateOption,
    Asked,
    CameraOption,
    CsvOption,
    EveryOption,
    ExplainOption,
    JsonLinesOption,
    OutOption,
    PicturesArgument,
    SortIntoOption,
    TopOption,
)
from imagette.cli.predict_sources import (
    begin_processes,
    camera_index,
    find_sources,
    refuse_mistyped,
)
from imagette.errors import ImagetteError
from imagette.interrupts import ctrl_c_ends_at_once
from imagette.translate import system_language

if TYPE_CHECKING:
    from imagette.cli.predict_progress import PredictProgress
    from imagette.cli.predict_words import Words
    from imagette.inference.answering_processes import AnsweringProcesses, Picture, Row
    from imagette.inference.classifier import Classifier
    from imagette.inference.row_file import RowFile
    from imagette.inference.sorted_copies import SortedCopies
    from imagette.inference.sources import Source

_LONGEST = 86_400
"""Seconds from one picture of a video to the next."""
_WORTH_COUNTING = 10
"""Lines, from which on nobody counts them by eye."""


@dataclass(frozen=True)
class _Totals:
    """What there is to tell in the end.

    Attributes:
        names: what people are told of each class, by its English name.
        copies: the pictures that were copied.
        counts: how often each answer was given.
    """

    names: dict[str, str]
    copies: "SortedCopies | None"
    counts: Counter[str] = field(default_factory=Counter)


def predict(
    pictures: PicturesArgument = None,
    model: ModelOption = None,
    top: TopOption = None,
    as_json: JsonLinesOption = False,
    as_csv: CsvOption = False,
    out: OutOption = None,
    sort_into: SortIntoOption = None,
    explain: ExplainOption = None,
    camera: CameraOption = False,
    every: EveryOption = EVERY,
    allow_private: AllowPrivateOption = False,
    ray: RayOption = False,
    ray_address: RayAddressOption = None,
) -> None:
    """Say what pictures show."""
    places = {"--json": as_json, "--csv": as_csv, "--out": out}
    chosen = [option for option, value in places.items() if value]
    if len(chosen) > 1:
        raise ImagetteError(
            f"The answers go to one place, and not by {', '.join(chosen)}.", "Give one of them."
        )
    if not 0 <= every <= _LONGEST:
        raise ImagetteError(
            f"{every} is no number of seconds from 0 to {_LONGEST:,}.",
            "Give --every how many seconds lie between two pictures of a video, such as 0.5.",
        )
    asked = Asked(
        pictures or [], model, top, as_json, as_csv, out, sort_into, explain, camera, every,
        allow_private,
    )  # fmt: skip
    on_cluster = ray or ray_address is not None
    if on_cluster:
        refuse_other_options(asked)
    if not camera:
        if not pictures:
            raise ImagetteError(
                "No picture is named.", "Give files, folders, addresses, or - for stdin."
            )
        refuse_mistyped([one for one in pictures if not (on_cluster and "://" in one)])
    if on_cluster:
        unreadable = predict_on_cluster(asked, ray_address)
    else:
        processes = None if explain or camera else begin_processes(asked.pictures)
        with processes or nullcontext():
            unreadable = _predict(asked, processes)
    if unreadable:
        raise typer.Exit(1)


def _predict(asked: Asked, processes: "AnsweringProcesses | None") -> int:
    """Answer; how many pictures could not be read, with those in a file that is gone on with."""
    from imagette.inference.answering_processes import loading_quickly

    with ctrl_c_ends_at_once(), loading_quickly():
        from imagette.cli.predict_progress import PredictProgress
        from imagette.cli.predict_words import UNREADABLE
        from imagette.inference.batch import model_digest
        from imagette.inference.classifier import Classifier
        from imagette.inference.row_file import RowFile
        from imagette.inference.sorted_copies import SortedCopies
        from imagette.inference.sources import Camera, Video, is_answered, pictures_of

    classifier = Classifier(asked.model)
    sources: list[Source] = (
        [Camera(camera_index(asked.pictures))] if asked.camera else [*find_sources(asked.pictures)]
    )
    file = copies = None
    is_done: Callable[[str], bool] = _never
    with ExitStack() as stack:
        if asked.out:
            file = RowFile(asked.out, classifier.class_names, model_digest(classifier), asked.top)
            stack.enter_context(file)
            is_done = file.holds
            new = [one for one in sources if not is_answered(one, is_done)]
            if len(new) < len(sources):
                done = len(sources) - len(new)
                done_ones = "1 picture is" if done == 1 else f"{done:,} pictures are"
                told = ", and so not copied" if asked.sort_into else ""
                say(f"{done_ones} already answered in {asked.out}{told}; going on with the others.")
            sources = new
        pictures: Iterable[Picture] = pictures_of(
            sources, asked.every, asked.allow_private, classifier.max_pixels, is_done
        )
        if asked.sort_into:
            copies = SortedCopies(asked.sort_into, classifier.class_names)
            pictures = copies.watch(pictures)
        from_files = all(isinstance(one, tuple) for one in sources)
        answers = _answers(classifier, pictures, from_files, asked, processes)
        endless = any(isinstance(one, Video | Camera) for one in sources)
        shown = PredictProgress(None if endless else len(sources), prints=file is None)
        write = _writer(asked, classifier, shown, file)
        counts = _answer(answers, shown, asked, write, _Totals(_names(classifier), copies))
    return file.unreadable if file else counts[UNREADABLE]


def _never(_: str) -> bool:
    return False


def _answers(
    classifier: "Classifier",
    pictures: "Iterable[Picture]",
    from_files: bool,
    asked: Asked,
    processes: "AnsweringProcesses | None",
) -> Generator[list["Row"], None, None]:
    """The rows of a few pictures at a time: of one where it may have come slowly."""
    from imagette.cli.predict_why import explained
    from imagette.inference.batch import answer_pictures, model_digest, predict_files

    if asked.explain:
        yield from explained(classifier, pictures, asked.explain)
    elif processes or from_files:
        yield from predict_files(classifier, pictures, processes)
    else:
        model = model_digest(classifier)
        yield from (list(answer_pictures(classifier, [one], model)) for one in pictures)


def _writer(
    asked: Asked, classifier: "Classifier", shown: "PredictProgress", file: "RowFile | None"
) -> "Callable[[list[Row]], None]":
    """What prints or writes rows, as it was asked for."""
    from imagette.cli.predict_words import Words
    from imagette.inference.row_file import Csv

    if file is not None:
        return file.write
    if asked.json:
        return lambda rows: shown.print_lines([to_json(row) for row in rows])
    if asked.csv:
        csv = Csv(classifier.class_names, asked.top)
        shown.print_lines([_text(csv.header)])
        return lambda rows: shown.print_lines([_text(csv.to_bytes(row)) for row in rows])
    knows = classifier.metadata.familiarity_threshold is not None
    words = Words(_names(classifier), asked.top, knows)
    return lambda rows: _print_words(rows, words, shown)


def _names(classifier: "Classifier") -> dict[str, str]:
    """What people are told of each class, by its English name."""
    french = system_language() == "fr"
    told = classifier.class_names_fr if french else classifier.class_names
    return dict(zip(classifier.class_names, told, strict=True))


def _text(line: bytes) -> str:
    return line.decode("utf-8", "surrogateescape").removesuffix("\n")


def _print_words(rows: list["Row"], words: "Words", shown: "PredictProgress") -> None:
    """What rows say, for people: on stdout, and on stderr for pictures that cannot be read."""
    for error, some in groupby(rows, key=lambda row: "error" in row):
        if error:
            shown.say_lines([words.problem(row) for row in some])
        else:
            shown.print_lines([line for row in some for line in words.lines(row)])


def _answer(
    answers: Generator[list["Row"], None, None],
    shown: "PredictProgress",
    asked: Asked,
    write: "Callable[[list[Row]], None]",
    totals: _Totals,
) -> Counter[str]:
    """Print or write a row for each picture; how often each answer was given."""
    from imagette.cli.predict_words import answer_of
    from imagette.inference.batch import likeliest

    copies = totals.copies
    with (
        shown,
        stoppable(lambda: _say_stopped(shown, asked, totals)),
        closing(answers),
    ):
        for rows in answers:
            if copies is not None and (problems := copies.sort(rows)):
                shown.say_lines(problems)
            if asked.top is not None:
                for row in rows:
                    if "error" not in row:
                        row["probabilities"] = dict(likeliest(row, asked.top))
            write(rows)
            totals.counts.update(map(answer_of, rows))
            shown.advance(len(rows))
    _say_done(shown, asked, totals)
    return totals.counts


def _say_stopped(shown: "PredictProgress", asked: Asked, totals: _Totals) -> None:
    shown.stop()
    stopped = f"Stopped after {shown.count}"
    if asked.out is not None:
        again = shlex.join(["imagette", *sys.argv[1:]])
        say(f"{stopped}; their answers are in {asked.out}. Go on with: {again}")
        return
    say(f"{stopped}.")
    _say_counts(asked, totals)


def _say_done(shown: "PredictProgress", asked: Asked, totals: _Totals) -> None:
    shown.stop()
    if asked.out is not None or (shown.done >= _WORTH_COUNTING and not (asked.json or asked.csv)):
        speed = f" ({shown.done / shown.seconds:,.0f}/s)" if shown.done > 1 else ""
        pictures = "1 picture" if shown.done == 1 else f"{shown.done:,} pictures"
        where = f": {asked.out}" if asked.out else ""
        say(f"{pictures} answered in {duration(shown.seconds)}{speed}{where}")
    _say_counts(asked, totals)


def _say_counts(asked: Asked, totals: _Totals) -> None:
    """How often each answer was given, where nobody would count it, and what was copied."""
    from imagette.cli.predict_words import UNREADABLE, counted

    counts = totals.counts
    if counts.total() >= _WORTH_COUNTING and not (asked.json or asked.csv):
        err.print("\n".join(counted(counts, totals.names)), markup=False, soft_wrap=True)
    elif asked.out is not None and counts[UNREADABLE]:
        say(f"{counts[UNREADABLE]:,} of them cannot be read; their rows have an `error`.")
    if totals.copies is not None:
        say(totals.copies.in_words())
