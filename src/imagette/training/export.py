"""The command `imagette export`: a run, or a classifier from anywhere, in another format."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from imagette.data import Split, load_dataset, train_and_validation
from imagette.errors import ImagetteError
from imagette.files import write_bytes
from imagette.inference.bundle import open_bundle
from imagette.runs import read_run
from imagette.training.bundle_writer import save_bundle
from imagette.training.calibrate_bundle import calibrate_bundle
from imagette.training.export_keras import write_keras_file
from imagette.training.foreign_models.keras_classifier import (
    open_keras_classifier,
    refuse_what_pytorch_computes_otherwise,
)
from imagette.training.foreign_models.make_bundle import write_foreign_bundle
from imagette.training.foreign_models.onnx_classifier import open_onnx_classifier
from imagette.training.foreign_models.picture_input import Layout
from imagette.training.keras_files import load_keras_file
from imagette.training.onnx_graph import update_metadata
from imagette.training.other_formats import refuse_other_formats
from imagette.training.quantize import quantize_all, quantize_weights
from imagette.training.stopped_run import make_missing_bundle
from imagette.training.teachable_machine import (
    is_download,
    is_teachable_machine,
    names_beside,
    unpacked,
)

Format = Literal["onnx", "keras", "h5"]
Quantize = Literal["weights", "all"]

CALIBRATION_IMAGES = 1000
"""About how many images the ranges of a network in 8 bits are found by."""


@dataclass(frozen=True)
class Exported:
    """What an export wrote.

    Attributes:
        path: the file.
        notes: what was taken for granted, a sentence each.
    """

    path: Path
    notes: tuple[str, ...] = ()


def export(
    source: str | Path,
    format: Format = "onnx",
    *,
    out: str | Path | None = None,
    classes: list[str] | None = None,
    pixels: str | int | None = None,
    layout: Layout | None = None,
    image_size: int | None = None,
    quantize: Quantize | None = None,
    data_dir: str | Path | None = None,
) -> Exported:
    """Write a run, or a classifier from anywhere, in another format.

    Args:
        source: a run folder, or a `.keras`, `.h5` or `.onnx` classifier of pictures; or a zip or a
            folder that holds a Keras file, as Teachable Machine gives it.
        format: `onnx` for a bundle, `keras` or `h5` for Keras.
        out: the file to write; by default beside the source, with the format's ending, numbered
            where a Keras file has that name (of an `.onnx` file, `NAME-bundle.onnx`; in 8 bits,
            `model-8-bit.onnx`).
        classes: class names for the bundle of a file, in the order of its outputs, two for a single
            output; by default those of `labels.txt` beside it, or CIFAR-10's for ten
            outputs of 32×32 colour pictures.
        pixels: what values of pixels a network takes (see
            `imagette.training.foreign_models.pixel_values`). For `onnx` that is the file read, by
            default told from its graph; otherwise the file written, 1 or 255 (by default 1 for the
            `h5` of a run or of a file that tells its own, otherwise unchanged).
        layout: the order of axes that the file read takes, where its shape does not tell.
        image_size: rows and columns of its pictures, where its shape does not tell.
        quantize: for a run's bundle: `weights` stores them in 8 bits, for a file a quarter as
            large; `all` also computes in 8 bits, which is faster (see `imagette.training.quantize`)
            and looks at some of the images that the run has learned from. What either costs,
            `imagette evaluate` measures.
        data_dir: where to look for CIFAR-10 first, for `quantize`.

    Returns:
        What was written. The bundle of a file answers as that file does, within 0.001 on real
        pictures, or is not written.

    Raises:
        ImagetteError: the source cannot be read, or what was asked does not fit it, or must be
            said.
    """
    source = Path(source)
    if is_download(source):
        if source.is_file():
            out = _target(source, format, out)
        with unpacked(source) as file:
            return export(
                file, format, out=out, classes=classes, pixels=pixels, layout=layout,
                image_size=image_size, quantize=quantize,
            )  # fmt: skip
    is_run = source.is_dir()
    if is_run:
        if format == "onnx":
            make_missing_bundle(source, data_dir=data_dir)
        _check_run(source, format, quantize)
        if layout or image_size or (format == "onnx" and (classes is not None or pixels)):
            raise ImagetteError(
                "A run's network knows its own class names, pixels and size.",
                "Leave out --classes, --pixels, --layout and --image-size.",
            )
    if quantize and not (is_run and format == "onnx"):
        raise ImagetteError(
            "Only the bundle of a run can be written in 8 bits.",
            "Name the folder of a run, and --format onnx.",
        )
    if format != "onnx":
        if classes is not None:
            raise ImagetteError(f"A .{format} file holds no class names.", "Leave out --classes.")
        return _export_keras(source, format, out, pixels)
    if is_run:
        default = source / "model-8-bit.onnx" if quantize else None
        target = _target(source / "model.keras", format, out or default)
        _write_bundle_of_run(source / "model.onnx", target, quantize, data_dir)
        return Exported(target)
    return _export_bundle(source, out, classes, pixels, layout, image_size)


def _export_bundle(
    source: Path,
    out: str | Path | None,
    classes: list[str] | None,
    pixels: str | int | None,
    layout: Layout | None,
    image_size: int | None,
) -> Exported:
    notes = []
    if source.suffix.lower() == ".onnx":
        classifier = open_onnx_classifier(source, layout, image_size)
        out = out or source.with_name(f"{source.stem}-bundle.onnx")
    else:
        model = load_keras_file(source)
        if pixels is None and is_teachable_machine(source):
            pixels = "-1..1"
            notes.append("From Teachable Machine, whose models take pixels in −1…1.")
        refuse_what_pytorch_computes_otherwise(model, source.name)
        classifier = open_keras_classifier(model, source.name, layout, image_size)
    if classes is None and (classes := names_beside(source, classifier.outputs)):
        notes.append(f"Class names from labels.txt: {', '.join(classes)}.")
    target = _target(source, "onnx", out)
    notes += write_foreign_bundle(classifier, target, classes, pixels)
    return Exported(target, tuple(notes))


def _export_keras(
    source: Path, format: Format, out: str | Path | None, pixels: str | int | None
) -> Exported:
    is_run = source.is_dir()
    if is_run and format == "keras" and out is None and str(pixels) in ("None", "255"):
        return Exported(source / "model.keras", ("The run holds it: pixels in 0–255.",))
    model_file = source / "model.keras" if is_run else source
    target = _target(model_file, format, out)
    return Exported(target, write_keras_file(model_file, target, pixels, of_run=is_run))


def _check_run(run: Path, format: Format, quantize: Quantize | None) -> None:
    has_keras, bundle = (run / "model.keras").is_file(), run / "model.onnx"
    if not has_keras and not bundle.is_file():
        refuse_other_formats(run)
        raise ImagetteError(
            f"{run} is no run with a trained network: it holds neither model.keras nor model.onnx.",
            "Name the folder of a run that `imagette train` made, such as runs/NAME.",
        )
    if quantize and open_bundle(bundle).metadata.view:
        raise ImagetteError(
            f"The bundle of {run} is stored in 8 bits already.", "Leave out --quantize."
        )
    if not has_keras and format != "onnx":
        raise ImagetteError(
            f"{run} has no Keras network: its last layer was fitted to features that ONNX Runtime"
            " computes.",
            "Export it to onnx, or train a Keras network: imagette train --recipe finetune.",
        )


def _target(model_file: Path, format: Format, out: str | Path | None) -> Path:
    """The file to write; no Keras file that is there already and was not named."""
    target = Path(out) if out else model_file.with_suffix(f".{format}")
    if target.suffix != f".{format}":
        raise ImagetteError(
            f"{target} does not end in .{format}.", f"Give --out a name that ends in .{format}."
        )
    if out is None and format != "onnx":
        return _free(target)
    if target.resolve() == model_file.resolve():
        raise ImagetteError(
            f"{target} would be written over itself.", "Name another file with --out."
        )
    return target


def _free(target: Path) -> Path:
    """The same name, or with a number the first that no file has: model.h5, model-2.h5 …"""
    number, free = 1, target
    while free.exists():
        number += 1
        free = target.with_stem(f"{target.stem}-{number}")
    return free


def _write_bundle_of_run(
    bundle: Path, target: Path, quantize: Quantize | None, data_dir: str | Path | None
) -> None:
    """Write a run's bundle as it is, or in 8 bits; the run keeps its own."""
    import onnx

    open_bundle(bundle)
    if target.resolve() == bundle.resolve():
        if quantize is None:
            return
        raise ImagetteError(
            f"{target} is the run's own bundle, and was left as it is.",
            "Name the file to write with --out.",
        )
    if quantize is None:
        write_bytes(target, bundle.read_bytes())
        return
    proto = onnx.load(bundle)
    if quantize == "weights":
        proto = quantize_weights(proto)
    else:
        learned, held_out = _split_of_run(bundle.parent, data_dir)
        some = learned.images[:: max(1, len(learned) // CALIBRATION_IMAGES)]
        proto = calibrate_bundle(quantize_all(proto, some), learned, held_out)
    # What was measured was the run's own bundle.
    update_metadata(proto, accuracy=None, accuracy_split=None, evaluation=None)
    save_bundle(proto, target)


def _split_of_run(run: Path, data_dir: str | Path | None) -> tuple[Split, Split]:
    """The images that a run has learned from, and those that it held out for validation."""
    info = read_run(run).info
    if info is None:
        raise ImagetteError(
            f"{run} does not say what it has learned from: it holds no run.json.",
            "Name a whole run, or store only the weights in 8 bits: --quantize weights.",
        )
    size = open_bundle(run / "model.onnx").height
    dataset = load_dataset(info.dataset, data_dir or info.data_dir, size)
    if not info.learns_from(dataset.train):
        raise ImagetteError(
            f"The pictures in {dataset.source} have changed since the run was trained.",
            "Train again, or store only the weights in 8 bits: --quantize weights.",
        )
    return train_and_validation(dataset, info.validation_fraction, info.seed)
