"""The network that a recipe's table `distillation` learns from."""

from pathlib import Path
from typing import TYPE_CHECKING

from imagette.data import Dataset
from imagette.errors import ImagetteError
from imagette.inference.bundle import open_bundle
from imagette.training.keras_files import load_keras_file

if TYPE_CHECKING:
    import keras


def check_teacher(folder: Path) -> None:
    """Make sure that a run holds a network to learn from.

    Raises:
        ImagetteError: it does not.
    """
    if not (folder / "model.keras").is_file():
        raise ImagetteError(
            f"There is no trained network in {folder} to learn from.",
            "Train it first (lite's own: imagette train --recipe sprint-large), name the folder of"
            " another run with --set distillation.teacher=FOLDER, or learn from the labels alone"
            " with --set distillation.teacher='\"\"'.",
        )


def load_teacher(run: str, dataset: Dataset) -> "keras.Model | None":
    """The network of a run, to learn from; None where `run` is empty.

    Raises:
        ImagetteError: there is no such run, or its network answers for other classes or pictures.
    """
    if not run:
        return None
    folder = Path(run)
    check_teacher(folder)
    bundle = open_bundle(folder / "model.onnx")
    model = load_keras_file(folder / "model.keras")
    size = dataset.train.images.shape[1:3]
    if bundle.metadata.class_names != dataset.class_names or model.input_shape[1:3] != size:
        raise ImagetteError(
            f"The network of {folder} is for {', '.join(bundle.metadata.class_names)} at"
            f" {bundle.height}×{bundle.width}, so it cannot teach one for {dataset.name}.",
            "Name a run on the same classes and sizes with --set distillation.teacher=FOLDER.",
        )
    return model
