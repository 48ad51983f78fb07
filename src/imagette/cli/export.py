"""`imagette export`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from imagette.cli.console import print_line, say
from imagette.cli.options import DataDirOption


def export(
    source: Annotated[
        Path, typer.Argument(metavar="RUN|MODEL", help="A run folder, or a .keras or .h5 file.")
    ],
    format: Annotated[
        Literal["onnx", "keras", "h5"], typer.Option(help="onnx is a bundle, for serving.")
    ],
    out_file: Annotated[
        Path | None, typer.Option("--out", help="The file to write (default: beside the source).")
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(help="Class names of a Keras file, in its order, with commas between."),
    ] = None,
    pixels: Annotated[
        Literal["1", "255"] | None,
        typer.Option(
            help="Range of pixels the Keras file takes, 0–1 or 0–255. An .h5 is written for 0–1"
            " if not given, so that scripts that divide by 255 work with it."
        ),
    ] = None,
    quantize: Annotated[
        Literal["weights", "all"] | None,
        typer.Option(
            help="Write a run's bundle in 8 bits: its weights, a quarter of the size; or all of it,"
            " which is faster too. Measure what that costs with `imagette evaluate`."
        ),
    ] = None,
    data_dir: DataDirOption = None,
) -> None:
    """Write a run, or a Keras model from elsewhere, in another format."""
    from imagette.training.export import export as export_model

    top: Literal[1, 255] | None = None if pixels is None else 1 if pixels == "1" else 255
    names = [name.strip() for name in classes.split(",")] if classes else None
    exported = export_model(
        source, format, out=out_file, classes=names, pixels=top, quantize=quantize,
        data_dir=data_dir,
    )  # fmt: skip
    for note in exported.notes:
        say(note)
    print_line(str(exported.path))
