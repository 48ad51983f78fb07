"""`imagette export`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from imagette.cli.console import print_line, say, stoppable
from imagette.cli.options import DataDirOption
from imagette.errors import ImagetteError

# What there is to say of a model from elsewhere.
ClassesOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAMES|FILE",
        help="Class names for the bundle of a file, in the order of its outputs, separated by"
        " commas, or a text file with one a line,"
        " numbered or not. A single output stands for two classes: first name"
        " the one for 0.",
    ),
]
PixelsOption = Annotated[
    str | None,
    typer.Option(
        help="Pixel values that the file expects: 1 (0 to 1), 255 (0 to 255), -1..1, imagenet (as"
        " torchvision and timm normalise), caffe (as Keras for VGG16 and ResNet50), or"
        " mean=R,G,B:std=R,G,B. By default found out from its first layers. For keras and h5: what"
        " the file written takes, 1 or 255; an .h5 is written for 0–1 if not given, so that scripts"
        " that divide by 255 work with it."
    ),
]
LayoutOption = Annotated[
    Literal["nchw", "nhwc"] | None,
    typer.Option(
        help="Order of the axes that the file takes, PyTorch's (nchw) or TensorFlow's (nhwc), where"
        " its shape does not tell."
    ),
]
ImageSizeOption = Annotated[
    int | None,
    typer.Option(min=1, help="Height and width in pixels that the file takes, where it takes any."),
]


def export(
    source: Annotated[
        Path,
        typer.Argument(metavar="RUN|MODEL", help="A run folder, or a .keras, .h5 or .onnx file."),
    ],
    format: Annotated[
        Literal["onnx", "keras", "h5"], typer.Option(help="onnx is a bundle, for serving.")
    ] = "onnx",
    out_file: Annotated[
        Path | None, typer.Option("--out", help="The file to write (default: beside the source).")
    ] = None,
    classes: ClassesOption = None,
    pixels: PixelsOption = None,
    layout: LayoutOption = None,
    image_size: ImageSizeOption = None,
    quantize: Annotated[
        Literal["weights", "all"] | None,
        typer.Option(
            help="Write a run's bundle in 8 bits: its weights, a quarter of the size; or all of it,"
            " which is faster too. Measure with `imagette evaluate` how much accuracy that costs."
        ),
    ] = None,
    data_dir: DataDirOption = None,
) -> None:
    """Write a run, or a Keras or ONNX classifier from elsewhere, in another format."""
    with stoppable(lambda: say("Stopped; nothing was exported.")):
        from imagette.training.export import export as export_model

        if source.is_file() and format == "onnx":
            say("Exporting it and comparing the answers; a large network takes minutes ...")
        exported = export_model(
            source, format, out=out_file, classes=_class_names(classes), pixels=pixels,
            layout=layout, image_size=image_size, quantize=quantize, data_dir=data_dir,
        )  # fmt: skip
    for note in exported.notes:
        say(note)
    print_line(str(exported.path))


def _class_names(said: str | None) -> list[str] | None:
    from imagette.training.teachable_machine import read_labels

    if not said:
        return None
    if "," not in said and Path(said).is_file():
        return read_labels(Path(said))
    if "," not in said and said.endswith(".txt"):
        raise ImagetteError(f"There is no file {said}.", "Check its name and folder.")
    return [name.strip() for name in said.split(",")]
