"""What a training by epochs saves: its network for Keras, and its bundle."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagette import __version__
from imagette.data import Dataset, Split
from imagette.evaluation import evaluation_for_bundle
from imagette.evaluation.calibration import fit_temperature
from imagette.features.backbone import LICENCE
from imagette.images.views import ViewName
from imagette.inference.bundle import BundleMetadata
from imagette.models import count_parameters
from imagette.training.bundle_writer import build_bundle, save_bundle, update_bundle
from imagette.training.calibrate_bundle import calibrate_bundle
from imagette.training.hardware import release_memory
from imagette.training.keras_files import save_keras
from imagette.training.outputs import compute_logits
from imagette.training.quantize import quantize_weights
from imagette.training.recipe import Recipe
from imagette.training.state import State
from imagette.training.weights import set_weights

if TYPE_CHECKING:
    import keras


def save_network(
    folder: Path,
    model: "keras.Model",
    recipe: Recipe,
    dataset: Dataset,
    learned: Split,
    held_out: Split,
    state: State,
    view: ViewName | None,
    learned_pictures: str,
) -> None:
    """Write the best weights of a training as `model.keras`, and its bundle as `model.onnx`.

    The images held out calibrate the probabilities, and set the threshold of `known`. The bundle
    notes `learned_pictures`, see `Job.learned_pictures`.
    """
    release_memory()
    held_out = held_out.resized(recipe.final_image_size, recipe.final_image_size, view or "whole")
    set_weights(model, state.best_weights)
    temperature = fit_temperature(compute_logits(model, held_out.images), held_out.labels)
    _divide_logits(model, temperature)
    save_keras(model, folder / "model.keras")
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
        learned_pictures=learned_pictures,
        licence=LICENCE if view else "",
    )
    proto = build_bundle(model, metadata)
    if view:  # a network that knows photographs: a quarter of the size, at the same speed
        proto = quantize_weights(proto)
    save_bundle(calibrate_bundle(proto, learned, held_out), folder / "model.onnx")


def record_evaluation(folder: Path, metrics: dict[str, Any]) -> None:
    """Let the bundle of a run say how it was measured, by the content of `metrics.json`."""
    update_bundle(
        folder / "model.onnx",
        accuracy=metrics["accuracy"],
        accuracy_split=metrics["split"],
        evaluation=evaluation_for_bundle(metrics, folder),
    )


def _divide_logits(model: "keras.Model", temperature: float) -> None:
    logits = model.get_layer("logits")
    logits.set_weights([weight / temperature for weight in logits.get_weights()])
