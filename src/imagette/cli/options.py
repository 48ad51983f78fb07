"""Arguments and options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

# By the folder, so that the command line starts without what reads recipes.
RECIPES = sorted(file.stem for file in Path(__file__).parents[1].glob("recipes/*.toml"))

DatasetArgument = Annotated[
    str | None,
    typer.Argument(
        help="`cifar10` (the default), `digits` (needs no download), or your own pictures: a"
        " folder (FOLDER/<class>/pictures, or FOLDER/train/<class>/pictures with an optional"
        " FOLDER/val and FOLDER/test), a zip or tar file of one, a table of paths and"
        " labels (CSV, TSV or JSON lines), a Parquet file of images and labels, a folder of such"
        " files, or `hf:NAME` for a dataset of Hugging Face."
    ),
]
DataDirOption = Annotated[
    Path | None, typer.Option(help="Where to look first for CIFAR-10's folder cifar-10-batches-py.")
]
RunsDirOption = Annotated[Path, typer.Option(help="Folder in which run folders are made.")]
ModelOption = Annotated[
    Path | None,
    typer.Option(
        "--model",
        help="A bundle (.onnx), a run, or a model that ships with Imagette: `cifar10`, the more"
        " accurate one, or `cifar10-lite`, small and fast.",
        show_default=False,
    ),
]
ServedModelsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        metavar="[NAME=]PATH",
        help="A bundle (.onnx), a run, or a model that ships with Imagette: `cifar10`, the more"
        " accurate one, or `cifar10-lite`, small and fast. Give it once for each of several: the"
        " first one answers `/predict` and the page, and each `/models/NAME/predict`; without NAME="
        " its file's name is used.",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, nothing else.")]
