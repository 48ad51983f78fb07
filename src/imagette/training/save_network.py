"""What a training by epochs saves: its network for Keras, and its bundle."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagette import __version__
from imagette.evaluation import evaluation_for_bundle
from imagette.evaluation.calibration import fit_temperature
from imagette.features.backbone import LICENCE
from imagette.inference.bundle import BundleMetadata, open_bundle
from imagette.inference.model_card import write_cards
from imagette.models import count_parameters
from imagette.training.bundle_writer import build_bundle, save_bundle, update_bundle
from imagette.training.calibrate_bundle import calibrate_bundle
from imagette.training.hardware import release_memory
from imagette.training.job import Job
from imagette.training.keras_files import save_keras
from imagette.training.last_steps import CALIBRATE, EXPORT, FAMILIARITY
from imagette.training.outputs import compute_logits
from imagette.training.quantize import quantize_weights
from imagette.training.training_data import TrainingData
from imagette.training.weights import set_weights

if TYPE_CHECKING:
    import keras
    import torch


def save_weights(folder: Path, model: "keras.Model", weights: "list[torch.Tensor]") -> None:
    """Write a network with these weights as `model.keras`, which takes no longer than writing it.

    The bundle of other weights goes, so that a bundle is always that of the network beside it.
    """
    set_weights(model, weights)
    (folder / "model.onnx").unlink(missing_ok=True)
    save_keras(model, folder / "model.keras")


def save_bundle_of(
    job: Job,
    model: "keras.Model",
    data: TrainingData,
    about_pictures: dict[str, Any],
    on_step: Callable[[str], None],
) -> None:
    """Calibrate the network that a run has saved, and write its bundle as `model.onnx`.

    The images held out calibrate the probabilities, and set the threshold of `known`.

    Args:
        job: the training.
        model: the network, with the weights to save; the last layer's are changed.
        data: the images.
        about_pictures: what the bundle says of them, see `Job.about_pictures`.
        on_step: hears of each step.
    """
    release_memory()
    folder, recipe, dataset, view = job.folder, job.recipe, data.final, data.view
    learned, held_out = data.splits
    on_step(CALIBRATE)
    held_out = held_out.resized(recipe.final_image_size, recipe.final_image_size, view or "whole")
    temperature = fit_temperature(compute_logits(model, held_out.images), held_out.labels)
    _divide_logits(model, temperature)
    metadata = BundleMetadata(
        class_names=dataset.class_names,
        class_names_fr=dataset.class_names_fr,
        imagette_version=__version__,
        model=recipe.model,
        parameters=count_parameters(model),
        dataset=dataset.name,
        recipe=recipe.to_metadata(),
        temperature=temperature,
        view=view,
        licence=LICENCE if view else "",
        **about_pictures,
    )
    on_step(EXPORT)
    proto = build_bundle(model, metadata)
    if view:  # a network that knows photographs: a quarter of the size, at the same speed
        proto = quantize_weights(proto)
    on_step(FAMILIARITY)
    proto = calibrate_bundle(proto, learned, held_out)
    save_keras(model, folder / "model.keras")
    save_bundle(proto, folder / "model.onnx")


def record_evaluation(folder: Path, metrics: dict[str, Any]) -> None:
    """Let the bundle of a run say how it was measured, by the content of `metrics.json`, and write
    its card."""
    bundle = folder / "model.onnx"
    update_bundle(
        bundle,
        accuracy=metrics["accuracy"],
        accuracy_split=metrics["split"],
        evaluation=evaluation_for_bundle(metrics, folder),
    )
    write_cards(folder, open_bundle(bundle).metadata)


def _divide_logits(model: "keras.Model", temperature: float) -> None:
    logits = model.get_layer("logits")
    logits.set_weights([weight / temperature for weight in logits.get_weights()])
