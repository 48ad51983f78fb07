"""From a Keras model to files: `.keras` and `.h5` that open anywhere, and the bundle.

Only this module writes bundles; `imagette.inference.bundle` says what they are and reads them.
"""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from pydantic import ValidationError

from imagette import __version__
from imagette.data import Split, load_dataset, split_validation
from imagette.data.sources.cifar import CLASS_NAMES, CLASS_NAMES_FR
from imagette.errors import ImagetteError
from imagette.files import replacing, write_bytes
from imagette.inference.bundle import BundleMetadata, open_bundle
from imagette.models import count_parameters
from imagette.models.backend import load_torch_keras
from imagette.runs import read_run
from imagette.training.calibrate_bundle import finish_bundle
from imagette.training.fold_batchnorm import Folded
from imagette.training.hardware import choose_device
from imagette.training.quantize import quantize_all, quantize_weights

if TYPE_CHECKING:
    import keras

Format = Literal["onnx", "keras", "h5"]
Quantize = Literal["weights", "all"]

CALIBRATION_PICTURES = 1000


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
        source: a run folder, or a `.keras` or `.h5` classifier of colour pictures.
        format: `onnx` for a bundle, `keras` or `h5` for Keras.
        out: the file to write; by default beside the source, with the format's ending.
        classes: class names for a bundle made of a Keras file, in the order of its outputs;
            CIFAR-10's where there are ten.
        pixels: the top of the range the Keras file takes. For `onnx` that is the file read (by
            default found out from its first layer), otherwise the file written (by default 1 for
            `h5`, unchanged for `keras`).
        quantize: for a run's bundle: `weights` stores them in 8 bits, for a file a quarter as
            large; `all` also computes in 8 bits, which is faster (see `imagette.training.quantize`)
            and looks at some of the pictures that the run has learned from. What either costs,
            `imagette evaluate` measures.
        data_dir: where to look for CIFAR-10 first, for `quantize`.

    Raises:
        ImagetteError: the source cannot be read, or what was asked does not fit it.
    """
    source = Path(source)
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
        _check_nothing_else_is_asked(classes, pixels)
        if quantize:
            _quantize_run(source, target, quantize, data_dir)
        else:
            _copy_bundle(source / "model.onnx", target)
        return Exported(target)
    model = load_keras_file(model_file)
    if format == "onnx":
        return _bundle_of_file(model, source, target, classes, pixels)
    if classes is not None:
        raise ImagetteError(f"A .{format} file holds no class names.", "Leave out --classes.")
    return _keras_of_model(model, target, format, pixels)


def _check_run(run: Path, format: Format, quantize: Quantize | None) -> None:
    has_keras, bundle = (run / "model.keras").is_file(), run / "model.onnx"
    if not has_keras and not bundle.is_file():
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


def _check_nothing_else_is_asked(classes: list[str] | None, pixels: int | None) -> None:
    """A run has its bundle already, with the right names and range in it."""
    if classes is not None or pixels is not None:
        raise ImagetteError(
            "A run's bundle knows its own class names and range of pixels.",
            "Leave out --classes and --pixels.",
        )


def _copy_bundle(bundle: Path, target: Path) -> None:
    open_bundle(bundle)
    if target.resolve() != bundle.resolve():
        write_bytes(target, bundle.read_bytes())


def _quantize_run(run: Path, target: Path, quantize: Quantize, data_dir: str | Path | None) -> None:
    """Write the run's bundle in 8 bits; the run keeps its own."""
    bundle = run / "model.onnx"
    if target.resolve() == bundle.resolve():
        raise ImagetteError(
            f"{target} is the run's own bundle, and was left as it is.",
            "Name the file to write with --out.",
        )
    with replacing(target) as temporary:
        if quantize == "weights":
            quantize_weights(bundle, temporary)
        else:
            learned, held_out = _pictures_of_run(run, data_dir)
            some = learned.images[:: max(1, len(learned) // CALIBRATION_PICTURES)]
            quantize_all(bundle, temporary, some)
            finish_bundle(temporary, learned, held_out)
        # What was measured was the run's own bundle.
        update_metadata(temporary, accuracy=None, accuracy_split=None, evaluation=None)


def _pictures_of_run(run: Path, data_dir: str | Path | None) -> tuple[Split, Split]:
    """The pictures that a run has learned from, and those that it held out."""
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
    return split_validation(dataset.train, info.validation_fraction, info.seed)


def _bundle_of_file(
    model: "keras.Model",
    source: Path,
    target: Path,
    classes: list[str] | None,
    pixels: int | None,
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
        pixels = _known_range(model, source)
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
    write_bundle(model, target, metadata, pixels)
    return Exported(target, tuple(notes))


def _keras_of_model(
    model: "keras.Model", target: Path, format: Format, pixels: int | None
) -> Exported:
    takes = _known_range(model, target)
    wanted = pixels or (1 if format == "h5" else takes)
    save_keras(model if wanted == takes else with_input_range(model, takes / wanted), target)
    return Exported(target, (f"It takes pixels in 0–{wanted}.",))


def save_keras(model: "keras.Model", path: Path) -> None:
    """Save as `.keras` or `.h5`, by the ending of `path`; all of it or nothing."""
    with replacing(path) as temporary, warnings.catch_warnings():
        # Keras calls .h5 "legacy"; it is written here for scripts that read nothing else.
        warnings.filterwarnings("ignore", message=".*HDF5.*")
        with _quiet("absl"):
            model.save(temporary)


def load_keras_file(path: Path) -> "keras.Model":
    """Load a `.keras` or `.h5` classifier, refusing any that carries code.

    Raises:
        ImagetteError: the file is missing, damaged, carries code, or is no picture classifier.
    """
    if not path.is_file():
        raise ImagetteError(f"There is no file {path}.", "Check its name and folder.")
    if path.suffix == ".onnx":
        raise ImagetteError(
            f"{path} is a bundle, which cannot be turned back into a Keras model.",
            "Export the run or the Keras file that it was made of.",
        )
    keras = load_torch_keras()
    try:
        with _quiet("absl"):
            model = keras.saving.load_model(path, compile=False, safe_mode=True)
    # Keras raises nearly any exception on a damaged file or one made with custom code.
    except Exception as error:
        if _mentions_code(error):
            raise ImagetteError(
                f"{path} carries program code (a Lambda layer or custom objects), which could do"
                " anything to this machine; it was not opened.",
                "Rebuild the model from Keras' stock layers and save it again.",
            ) from error
        raise ImagetteError(
            f"{path} cannot be read as a Keras model: it is damaged, or needs layers that Keras"
            " itself does not have.",
            "Save the whole model again with Keras 3, from stock layers: model.save(...).",
        ) from error
    _check_classifier(model, path)
    return model


def _known_range(model: "keras.Model", path: Path) -> Literal[1, 255]:
    found = input_range(model)
    if found is None:
        raise ImagetteError(
            f"The range of pixels that the model of {path} takes cannot be told: it normalises them"
            " by means and deviations of its own.",
            "Export it to onnx, and say the range with --pixels 1 or --pixels 255.",
        )
    return found


def input_range(model: "keras.Model") -> Literal[1, 255] | None:
    """The top of the range of pixels a model takes, by the first layer that cares.

    255 if that layer scales them down, 1 if it has weights or scales otherwise, None if it is a
    Normalization, which tells nothing. Augmentation and the like, which have no weights, come
    before it in some models.
    """
    from keras import layers

    for layer in _flat_layers(model):
        if isinstance(layer, layers.Rescaling):
            return 255 if np.max(layer.scale) < 0.1 else 1
        if isinstance(layer, layers.Normalization):
            return None
        if layer.trainable_weights:
            break
    return 1


def with_input_range(model: "keras.Model", factor: float) -> "keras.Model":
    """The same network, taking pixels that are first multiplied by `factor`.

    A factor of 255 makes a network of 0–255 take 0–1. Where the network begins with a Rescaling,
    that layer changes (or goes, if nothing is left for it to do), so that the saved file stays as
    plain as it was; otherwise a Rescaling comes before it. The weights are the same.
    """
    import keras
    from keras import layers

    inputs = layers.Input(model.input_shape[1:], name="pixels")
    first, *rest = model.layers
    if not (isinstance(model, keras.Sequential) and isinstance(first, layers.Rescaling)):
        return keras.Model(inputs, model(layers.Rescaling(factor)(inputs)), name=model.name)
    scale = np.asarray(first.scale) * factor
    plain = np.allclose(scale, 1) and np.allclose(first.offset, 0)
    rescaling = [] if plain else [layers.Rescaling(scale.tolist(), first.offset)]
    return keras.Sequential([inputs, *rescaling, *rest], name=model.name)


def write_bundle(
    model: "keras.Model", path: Path, metadata: BundleMetadata, pixels: int = 255
) -> None:
    """Write the bundle of a Keras classifier, its normalisations folded into its convolutions.

    Args:
        model: takes float32 `(batch, height, width, 3)` and gives class probabilities, or logits
            (then a softmax is added).
        path: the `.onnx` file.
        metadata: what the bundle is to say of itself.
        pixels: the top of the range the model takes: 255, or 1.
    """
    import onnx

    graph = _Bundled(model, pixels).eval()
    example = torch.zeros((2, *model.input_shape[1:]), dtype=torch.uint8, device=choose_device())
    with warnings.catch_warnings(), _quiet("torch.onnx"):
        warnings.simplefilter("ignore")  # about PyTorch's own internals
        program = torch.onnx.export(
            graph,
            (example,),
            input_names=["image"],
            output_names=["probabilities"],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            dynamo=True,
            verbose=False,
        )
    proto = program.model_proto
    # The exporter notes the source line of every operation: folders of this machine.
    for node in proto.graph.node:
        del node.metadata_props[:]
    proto.graph.doc_string = ""
    onnx.helper.set_model_props(proto, metadata.to_properties())
    with replacing(path) as temporary:
        temporary.write_bytes(proto.SerializeToString())
        open_bundle(temporary)


def update_metadata(path: Path, **changes: Any) -> None:
    """Change what a bundle says of itself; its graph stays as it is."""
    import onnx

    metadata = open_bundle(path).metadata.model_copy(update=changes)
    proto = onnx.load(path)
    onnx.helper.set_model_props(proto, metadata.to_properties())
    write_bytes(path, proto.SerializeToString())


def _flat_layers(model: "keras.Model") -> Iterator[Any]:
    """The layers in order, those of nested models in their place, Inputs left out."""
    import keras

    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _flat_layers(layer)
        elif not isinstance(layer, keras.layers.InputLayer):
            yield layer


class _Bundled(torch.nn.Module):
    """A Keras classifier as the bundle has it: uint8 pixels in, probabilities out."""

    def __init__(self, model: "keras.Model", pixels: int) -> None:
        super().__init__()
        self.network = Folded(model)
        self.scale = pixels / 255
        self.gives_logits = _gives_logits(model)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        pixels = image.to(torch.float32)
        if self.scale != 1:
            pixels = pixels * self.scale
        output = self.network(pixels)
        return torch.softmax(output, dim=-1) if self.gives_logits else output


def _gives_logits(model: "keras.Model") -> bool:
    """Whether the model's output still needs a softmax.

    Raises:
        ImagetteError: the output is neither probabilities nor logits.
    """
    random = np.random.default_rng(0).random((4, *model.input_shape[1:]), np.float32)
    output = model.predict(random, verbose=0)
    if output.min() >= 0 and np.allclose(output.sum(axis=1), 1, atol=1e-3):
        return False
    activation = getattr([*_flat_layers(model)][-1], "activation", None)
    ends_in = "another layer" if activation is None else activation.__name__
    # Plain logits of several pictures are never all positive; what is, went through something.
    if output.min() < 0 and (activation is None or ends_in == "linear"):
        return True
    raise ImagetteError(
        f"The model ends in {ends_in}, which gives no probabilities that sum to one.",
        "Export a classifier that ends in a softmax, or in plain logits.",
    )


def _check_classifier(model: "keras.Model", path: Path) -> None:
    """Refuse what is not one picture in, one row of classes out."""
    inputs, outputs = model.inputs or [], model.outputs or []
    takes = [tuple(tensor.shape) for tensor in inputs]
    gives = [tuple(tensor.shape) for tensor in outputs]
    if (
        len(takes) != 1
        or len(gives) != 1
        or len(takes[0]) != 4
        or takes[0][3] != 3
        or None in takes[0][1:]
        or len(gives[0]) != 2
        or (gives[0][1] or 0) < 2
    ):
        raise ImagetteError(
            f"{path} is no classifier of colour pictures: it goes from {takes} to {gives}.",
            "It must go from (batch, height, width, 3) to (batch, classes).",
        )


def _mentions_code(error: Exception) -> bool:
    text = str(error).lower()
    return any(word in text for word in ("lambda", "safe_mode", "unsafe"))


@contextmanager
def _quiet(logger_name: str) -> Iterator[None]:
    """Keep a library's log lines, which no user can act on, off the terminal."""
    logger = logging.getLogger(logger_name)
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)
