"""The command `imagette export`: a run, or a Keras file from anywhere, in another format."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import ValidationError

from imagette import __version__
from imagette.data import Split, load_dataset, train_and_validation
from imagette.data.sources.cifar import CLASS_NAMES, CLASS_NAMES_FR
from imagette.errors import ImagetteError
from imagette.files import write_bytes
from imagette.inference.bundle import BundleMetadata, open_bundle
from imagette.models import count_parameters
from imagette.runs import read_run
from imagette.training.bundle_writer import build_bundle, save_bundle
from imagette.training.calibrate_bundle import calibrate_bundle
from imagette.training.keras_files import input_range, load_keras_file, save_keras, with_input_range
from imagette.training.onnx_graph import update_metadata
from imagette.training.other_formats import refuse_other_formats
from imagette.training.quantize import quantize_all, quantize_weights
from imagette.training.teachable_machine import (
    is_download,
    is_teachable_machine,
    names_beside,
    taking_0_255,
    unpacked,
)

if TYPE_CHECKING:
    import keras

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
    format: Format,
    *,
    out: str | Path | None = None,
    classes: list[str] | None = None,
    pixels: Literal[1, 255] | None = None,
    quantize: Quantize | None = None,
    data_dir: str | Path | None = None,
) -> Exported:
    """Write a run, or a Keras file from anywhere, in another format.

    Args:
        source: a run folder, or a `.keras` or `.h5` classifier of colour images, as Keras 3 or 2
            wrote it; or a zip or a folder that holds one, as Teachable Machine gives it.
        format: `onnx` for a bundle, `keras` or `h5` for Keras.
        out: the file to write; by default beside the source, with the format's ending.
        classes: class names for a bundle made of a Keras file, in the order of its outputs; by
            default those of `labels.txt` beside it, or CIFAR-10's where there are ten.
        pixels: the top of the range the Keras file takes. For `onnx` that is the file read (by
            default found out from its first layer), otherwise the file written (by default 1 for
            `h5`, unchanged for `keras`).
        quantize: for a run's bundle: `weights` stores them in 8 bits, for a file a quarter as
            large; `all` also computes in 8 bits, which is faster (see `imagette.training.quantize`)
            and looks at some of the images that the run has learned from. What either costs,
            `imagette evaluate` measures.
        data_dir: where to look for CIFAR-10 first, for `quantize`.

    Raises:
        ImagetteError: the source cannot be read, or what was asked does not fit it.
    """
    source = Path(source)
    if is_download(source):
        if source.is_file():
            out = _target(source, format, out)
        with unpacked(source) as file:
            return export(file, format, out=out, classes=classes, pixels=pixels, quantize=quantize)
    is_run = source.is_dir()
    if is_run:
        _check_run(source, format, quantize)
    model_file = source / "model.keras" if is_run else source
    if quantize and not (is_run and format == "onnx"):
        raise ImagetteError(
            "Only the bundle of a run can be written in 8 bits.",
            "Name the folder of a run, and --format onnx.",
        )
    target = _target(model_file, format, out)
    if is_run and format == "onnx":
        if classes is not None or pixels is not None:
            raise ImagetteError(
                "A run's bundle knows its own class names and range of pixels.",
                "Leave out --classes and --pixels.",
            )
        _write_bundle_of_run(source / "model.onnx", target, quantize, data_dir)
        return Exported(target)
    model = load_keras_file(model_file)
    notes = []
    if pixels is None and is_teachable_machine(model_file):
        model, pixels = taking_0_255(model), 255 if format == "onnx" else None
        notes.append("From Teachable Machine, whose models take pixels in −1…1.")
    if format == "onnx":
        if classes is None and (classes := names_beside(source, model.output_shape[-1])):
            notes.append(f"Class names from labels.txt: {', '.join(classes)}.")
        exported = _bundle_of_file(model, source, target, classes, pixels)
        return Exported(target, (*notes, *exported.notes))
    if classes is not None:
        raise ImagetteError(f"A .{format} file holds no class names.", "Leave out --classes.")
    return _keras_of_model(model, target, format, pixels)


def _check_run(run: Path, format: Format, quantize: Quantize | None) -> None:
    has_keras, bundle = (run / "model.keras").is_file(), run / "model.onnx"
    if not has_keras and not bundle.is_file():
        refuse_other_formats(run)
        raise ImagetteError(
            f"{run} is no run with a trained network: it holds neither model.keras nor model.onnx.",
            "Name the folder of a run that `imagette train` made, such as runs/NAME.",
        )
    if quantize and open_bundle(bundle).metadata.view:
        raise ImagetteError(f"The bundle of {run} is in 8 bits already.", "Leave out --quantize.")
    if not has_keras and format != "onnx":
        raise ImagetteError(
            f"{run} has no Keras network: its last layer was fitted to features that ONNX Runtime"
            " computes.",
            "Export it to onnx, or train a Keras network: imagette train --recipe finetune.",
        )


def _target(model_file: Path, format: Format, out: str | Path | None) -> Path:
    """The file to write; never the model itself, and no other Keras file that was not named."""
    target = Path(out) if out else model_file.with_suffix(f".{format}")
    if target.suffix != f".{format}":
        raise ImagetteError(
            f"{target} does not end in .{format}.", f"Give --out a name that ends in .{format}."
        )
    if target.resolve() == model_file.resolve():
        raise ImagetteError(
            f"{target} would be written over itself.", "Name another file with --out."
        )
    if out is None and format != "onnx" and target.exists():
        raise ImagetteError(
            f"{target} exists already, and was left as it is.", "Name the file to write with --out."
        )
    return target


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
    """The images that a run has learned from, and those that it was validated with."""
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


def _bundle_of_file(
    model: "keras.Model", source: Path, target: Path, classes: list[str] | None, pixels: int | None
) -> Exported:
    notes = []
    count = model.output_shape[-1]
    if classes is None and count == len(CLASS_NAMES):
        classes = list(CLASS_NAMES)
        notes.append("Ten outputs: taken for CIFAR-10's classes (name others with --classes).")
    if classes is None or len(classes) != count:
        raise ImagetteError(
            f"The model has {count} outputs, and {len(classes or [])} class names were given.",
            "Name every class in the order of the outputs: --classes red,green,blue.",
        )
    if pixels is None:
        pixels = input_range(model, source)
        notes.append(f"Taken to expect pixels in 0–{pixels} (say otherwise with --pixels).")
    french = dict(zip(CLASS_NAMES, CLASS_NAMES_FR, strict=True))
    try:
        metadata = BundleMetadata(
            class_names=tuple(classes),
            class_names_fr=tuple(french.get(name, name) for name in classes),
            imagette_version=__version__,
            model=source.name,
            parameters=count_parameters(model),
        )
    except ValidationError as error:
        raise ImagetteError(
            f"{', '.join(classes)!r} cannot be the names of the classes.",
            "Give each class a name of its own, with commas between: --classes red,green,blue.",
        ) from error
    save_bundle(build_bundle(model, metadata, pixels), target)
    return Exported(target, tuple(notes))


def _keras_of_model(
    model: "keras.Model", target: Path, format: Format, pixels: int | None
) -> Exported:
    takes = input_range(model, target)
    wanted = pixels or (1 if format == "h5" else takes)
    save_keras(model if wanted == takes else with_input_range(model, takes / wanted), target)
    return Exported(target, (f"It takes pixels in 0–{wanted}.",))
