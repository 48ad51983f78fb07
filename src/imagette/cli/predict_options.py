"""The argument and the options of `imagette predict`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

EVERY = 1.0
"""Seconds between two pictures of a video, where nobody asks for others."""

PicturesArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="PICTURE...",
        help="Files, folders, videos, addresses (https://…), or - for stdin.",
        show_default=False,
    ),
]
TopOption = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=1,
        help="Tell the N most probable classes of each picture, with their probabilities.",
        show_default=False,
    ),
]
JsonLinesOption = Annotated[
    bool, typer.Option("--json", help="Print JSON Lines on stdout, one for each picture.")
]
CsvOption = Annotated[
    bool, typer.Option("--csv", help="Print CSV on stdout, a line for each picture.")
]
OutOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Write the answers to a file, .jsonl (JSON Lines) or .csv, with --ray .parquet too."
        " Run again with the same file, the command goes on where it stopped: pictures whose path"
        " is in it are left out.",
        show_default=False,
    ),
]
SortIntoOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Also copy each picture to FOLDER/<class>, or to FOLDER/none of these. Nothing is"
        " written over, and nothing copied twice.",
        show_default=False,
    ),
]
ExplainOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Also draw where in each picture lies what decided: NAME-why.png in this folder.",
        show_default=False,
    ),
]
CameraOption = Annotated[
    bool,
    typer.Option(
        "--camera",
        help="Say what a camera sees until Ctrl-C: the first one, or `--camera 1` the next.",
    ),
]
EveryOption = Annotated[
    float,
    typer.Option(
        metavar="SECONDS",
        help="How often a picture of a video or a camera is answered; 0 for every one.",
    ),
]
AllowPrivateOption = Annotated[
    bool,
    typer.Option("--allow-private", help="Fetch from this machine and from private networks, too."),
]


@dataclass(frozen=True)
class Asked:
    """What was asked for, by the names of the options."""

    pictures: list[str]
    model: Path | None
    top: int | None
    json: bool
    csv: bool
    out: Path | None
    sort_into: Path | None
    explain: Path | None
    camera: bool
    every: float
    allow_private: bool
