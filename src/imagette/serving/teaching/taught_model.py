"""What a lesson has taught: a head on the backbone's features, solved anew from all pictures."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import imagette
from imagette.evaluation.metrics import measure
from imagette.features.backbone import LICENCE, PARAMETERS, Backbone
from imagette.heads.head import Head, fit_head
from imagette.heads.head_graph import add_head
from imagette.heads.ood_score import METHOD, THRESHOLD
from imagette.images.views import ViewName
from imagette.inference.bundle import BundleMetadata

VIEW: ViewName = "centre"
"""What is looked at of each picture: what people hold before a camera is in the middle."""


@dataclass(frozen=True)
class TaughtModel:
    """Answers as a bundle does, without a file of its own.

    Attributes:
        backbone: computes the features.
        head: answers from them.
        metadata: what the bundle says of itself.
        n_images: how many pictures it has learned.
    """

    backbone: Backbone
    head: Head
    metadata: BundleMetadata
    n_images: int

    @property
    def path(self) -> Path:
        """Of the backbone's file."""
        return self.backbone.path

    @property
    def height(self) -> int:
        """Rows of the pictures that it takes."""
        return self.backbone.size

    @property
    def width(self) -> int:
        """Columns of the pictures that it takes."""
        return self.backbone.size

    def run(self, images: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Probabilities, float32 `(n, classes)`, and familiarity, float32 `(n,)` in 0–1, of uint8
        `(n, height, width, 3)`."""
        return self.head.predict(self.backbone.compute(images))

    def to_bundle(self) -> bytes:
        """The content of a bundle that answers the same."""
        import onnx

        proto = add_head(self.backbone.content, self.head)
        onnx.helper.set_model_props(proto, self.metadata.to_properties())
        return proto.SerializeToString()


def fit_taught_model(
    backbone: Backbone,
    class_names: tuple[str, ...],
    features: NDArray[np.float16],
    labels: NDArray[np.int64],
) -> TaughtModel:
    """Solve the head.

    Args:
        backbone: what has computed the features.
        class_names: two or more.
        features: float16 `(n, 1280)`.
        labels: int64 `(n,)`, positions of the classes; at least one picture of each.

    Returns:
        What answers. Its accuracy is that on each picture as if it had not learned that one, and
        None while there is a class of a single picture, of which nothing would be left.
    """
    head, left_out = fit_head(features, labels, len(class_names))
    metadata = BundleMetadata(
        class_names=class_names,
        class_names_fr=class_names,
        imagette_version=imagette.__version__,
        model="efficientnet-lite",
        counts={"train": tuple(np.bincount(labels, minlength=len(class_names)).tolist())},
        parameters=PARAMETERS[0] + head.kernel.size + head.bias.size,
        temperature=head.temperature,
        familiarity_threshold=THRESHOLD,
        familiarity_method=METHOD,
        view=VIEW,
        licence=LICENCE,
    )
    if np.bincount(labels).min() > 1:
        measured = measure(left_out.probabilities, labels, class_names)
        metadata = metadata.model_copy(
            update={
                "accuracy": measured["accuracy"],
                "accuracy_split": "leave-one-out",
                "evaluation": measured | {"split": "leave-one-out"},
            }
        )
    return TaughtModel(backbone, head, metadata, len(labels))
