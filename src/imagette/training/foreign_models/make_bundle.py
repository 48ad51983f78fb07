"""From a classifier made elsewhere to a bundle on the disk, compared with the original."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from imagette import __version__
from imagette.data.sources.cifar import CLASS_NAMES, CLASS_NAMES_FR
from imagette.errors import ImagetteError
from imagette.inference.bundle import BundleMetadata
from imagette.training.bundle_writer import save_bundle
from imagette.training.foreign_models.bundle_graph import build_foreign_bundle
from imagette.training.foreign_models.compare import (
    MOST_DIFFERENCE,
    greatest_difference,
    sample_pictures,
    to_greys,
)
from imagette.training.foreign_models.first_weights import infer_pixel_values
from imagette.training.foreign_models.foreign_classifier import ForeignClassifier
from imagette.training.foreign_models.last_layer import Answers, read_answers, to_probabilities
from imagette.training.foreign_models.pixel_values import (
    PixelValues,
    parse_pixel_values,
    ways_to_say,
)


def write_foreign_bundle(
    classifier: ForeignClassifier,
    target: Path,
    classes: list[str] | None,
    pixels: str | int | None,
) -> tuple[str, ...]:
    """Write the bundle of a classifier, if it answers as the original does.

    Args:
        classifier: the original.
        target: the file to write.
        classes: names of its classes, in the order of its outputs.
        pixels: what values of pixels it takes, as `--pixels` says it; read from its graph if None.

    Returns:
        What was taken for granted, a sentence each.

    Raises:
        ImagetteError: what was asked does not fit, or cannot be told, or the answers would differ.
    """
    notes: list[str] = []
    metadata = _metadata(classifier, classes, notes)
    values = _choose_pixels(classifier, pixels, notes)
    takes = classifier.takes
    images = sample_pictures(takes.height, takes.width)
    shown = to_greys(images) if takes.channels == 1 else images
    given = classifier.answer(takes.arrange(values.of(shown))).reshape(len(images), -1)
    if not np.isfinite(given).all():
        raise ImagetteError(
            f"{classifier.name} answers real pictures with infinite numbers, or with none (NaN).",
            "Check its weights, and --pixels.",
        )
    answers = read_answers(classifier.name, classifier.network, given)
    if answers == "logit":
        notes.append("Its one output is assumed to be the logit of the second class.")
    expected = to_probabilities(given, answers)
    _write(classifier, values, answers, metadata, target, images, expected)
    return tuple(notes)


def _choose_pixels(
    classifier: ForeignClassifier, pixels: str | int | None, notes: list[str]
) -> PixelValues:
    said = None if pixels is None else parse_pixel_values(pixels)
    told = infer_pixel_values(classifier.network, classifier.takes)
    if said:
        _check_whole_numbers(classifier, said)
        if told and told != said:
            notes.append(f"By what it does first, it seems to expect pixels in {told.said}.")
        return said
    if told is None:
        raise ImagetteError(
            f"What values of pixels {classifier.name} takes cannot be told: what comes before its"
            " first weights does not say it.",
            f"Give what it was trained on with --pixels: {ways_to_say(classifier.takes.channels)}",
        )
    notes.append(f"Assumed to expect pixels in {told.said} (choose others with --pixels).")
    return told


def _check_whole_numbers(classifier: ForeignClassifier, said: PixelValues) -> None:
    takes = classifier.takes
    if takes.dtype.kind not in "iu":
        return
    levels = np.arange(256, dtype=np.uint8).reshape(1, 256, 1, 1).repeat(takes.channels, axis=3)
    values = said.of(levels)
    with np.errstate(invalid="ignore"):
        lost = np.abs(values.astype(takes.dtype).astype(np.float32) - values).max()
    if lost > 0.5:
        raise ImagetteError(
            f"{classifier.name} takes whole numbers ({takes.dtype.name}), which pixels in"
            f" {said.said} are not, or not in that range.",
            "Leave out --pixels, or say --pixels"
            f" {'-128..127' if takes.dtype == np.int8 else '255'}.",
        )


def _metadata(
    classifier: ForeignClassifier, classes: list[str] | None, notes: list[str]
) -> BundleMetadata:
    takes, outputs = classifier.takes, classifier.outputs
    count = max(2, outputs)
    like_cifar10 = (takes.height, takes.width, takes.channels) == (32, 32, 3)
    if classes is None and outputs == len(CLASS_NAMES) and like_cifar10:
        classes = list(CLASS_NAMES)
        notes.append("Ten outputs: assumed to be CIFAR-10's classes (name others with --classes).")
    if classes is None or len(classes) != count:
        had = f"The model has {outputs} outputs"
        if outputs == 1:
            had = "The model has 1 output for two classes"
        raise ImagetteError(
            f"{had}, and {len(classes or [])} class names were given.",
            "Name every class in the order of the outputs: --classes red,green,blue."
            if outputs > 1
            else "Name both, first the one that it answers with 0: --classes no,yes.",
        )
    french = dict(zip(CLASS_NAMES, CLASS_NAMES_FR, strict=True))
    try:
        return BundleMetadata(
            class_names=tuple(classes),
            class_names_fr=tuple(french.get(name, name) for name in classes),
            imagette_version=__version__,
            model=classifier.name,
            parameters=classifier.parameters,
        )
    except ValidationError as error:
        raise ImagetteError(
            f"{', '.join(classes)!r} cannot be the names of the classes.",
            "Give each class a name of its own, with commas between: --classes red,green,blue.",
        ) from error


def _write(
    classifier: ForeignClassifier,
    pixels: PixelValues,
    answers: Answers,
    metadata: BundleMetadata,
    target: Path,
    images: NDArray[np.uint8],
    expected: NDArray[np.float32],
) -> None:
    """Write the bundle once its answers are those expected."""
    takes, differences = classifier.takes, []
    # What was exported for one picture takes several only if nothing in it counts on one, nor is
    # taken from all of them, as the ranges of activations are by DynamicQuantizeLinear.
    kinds = {node.op_type for node in classifier.network.graph.node}
    for one_by_one in (True,) if "DynamicQuantizeLinear" in kinds else (False, True):
        proto = build_foreign_bundle(
            classifier.network, takes, pixels, answers, metadata, one_by_one
        )
        differences.append(greatest_difference(proto, images, expected))
        if differences[-1] <= MOST_DIFFERENCE:
            save_bundle(proto, target)
            return
    raise ImagetteError(
        f"The bundle would not answer as {classifier.name} itself: by"
        f" {min(differences):.2g}, where {MOST_DIFFERENCE:g} is allowed. Nothing was written.",
        "Save it in float32 where it was made, and export that; if it is, please report this with"
        " the file.",
    )
