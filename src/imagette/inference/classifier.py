"""Picture in, prediction out."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray

from imagette.errors import ImagetteError
from imagette.inference.bundle import open_bundle
from imagette.inference.preprocess import MAX_PIXELS, Picture, to_pixels

BATCH_SIZE = 256


@dataclass(frozen=True)
class Prediction:
    """What the classifier says of one picture.

    Attributes:
        label: English name of the most probable class.
        label_fr: its French name.
        index: its position among the classes.
        confidence: its probability, 0–1.
        probabilities: probability of every class by English name, in the classes' order.
        known: whether the picture looks like any of the classes at all; None while the bundle
            carries no threshold to tell.
    """

    label: str
    label_fr: str
    index: int
    confidence: float
    probabilities: dict[str, float]
    known: bool | None = None


class Classifier:
    """A bundle, ready to answer.

    Args:
        bundle: path of a `.onnx` bundle or of a run, or the name of a model that ships with the
            package, `default` or `lite`; `default` if None.
        threads: CPU threads one prediction may use; ONNX Runtime's choice if None.
        max_pixels: pictures with more pixels than this are refused.

    Raises:
        ImagetteError: the file is missing or is not a bundle.
    """

    def __init__(
        self,
        bundle: str | Path | None = None,
        *,
        threads: int | None = None,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        self._bundle = open_bundle(bundle, threads)
        self.max_pixels = max_pixels
        self.path = self._bundle.path
        self.metadata = self._bundle.metadata
        self.class_names = self.metadata.class_names
        self.class_names_fr = self.metadata.class_names_fr
        self.height = self._bundle.height
        self.width = self._bundle.width

    @overload
    def predict(self, picture: Picture) -> Prediction: ...
    @overload
    def predict(self, picture: list[Picture]) -> list[Prediction]: ...
    def predict(self, picture: Picture | list[Picture]) -> Prediction | list[Prediction]:
        """Say what a picture, or each picture of a list, shows.

        Args:
            picture: a path, the bytes of a file, a PIL image, an array (see
                `imagette.inference.preprocess.from_array`), or a list of those.

        Returns:
            A `Prediction`, or a list of them for a list.

        Raises:
            PictureError: a picture cannot be read or has too many pixels.
        """
        if not isinstance(picture, list):
            return self.predict_pixels(self.preprocess(picture)[np.newaxis])[0]
        # In portions, so that a long list of large pictures never lies decoded in memory at once.
        predictions: list[Prediction] = []
        for start in range(0, len(picture), BATCH_SIZE):
            portion = [self.preprocess(one) for one in picture[start : start + BATCH_SIZE]]
            predictions += self.predict_pixels(np.stack(portion))
        return predictions

    def preprocess(self, picture: Picture) -> NDArray[np.uint8]:
        """What the network sees of a picture: uint8 `(height, width, 3)`.

        Raises:
            PictureError: the picture cannot be read or has too many pixels.
        """
        return to_pixels(picture, self.height, self.width, self.max_pixels)

    def probabilities(
        self, images: NDArray[np.uint8], batch_size: int = BATCH_SIZE
    ) -> NDArray[np.float32]:
        """Probabilities for pictures that are already as the network takes them.

        Args:
            images: uint8 `(n, height, width, 3)`.
            batch_size: pictures given to the network at once.

        Returns:
            float32 `(n, classes)`.

        Raises:
            ImagetteError: the pictures have another size or type.
        """
        size = (self.height, self.width, 3)
        if images.dtype != np.uint8 or images.shape[1:] != size:
            raise ImagetteError(
                f"Pictures of shape {images.shape} and type {images.dtype} are not what this model"
                f" takes: uint8 (n, {self.height}, {self.width}, 3).",
                "Bring each to that by `preprocess`, or give any pictures to `predict`.",
            )
        found = np.empty((len(images), len(self.class_names)), np.float32)
        for start in range(0, len(images), batch_size):
            found[start : start + batch_size] = self._run(images[start : start + batch_size])
        return found

    def predict_pixels(self, images: NDArray[np.uint8]) -> list[Prediction]:
        """Predictions for pictures that are already as the network takes them.

        Args:
            images: uint8 `(n, height, width, 3)`.
        """
        return [self._prediction(row) for row in self.probabilities(images)]

    def _run(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        session = self._bundle.session
        inputs = {session.get_inputs()[0].name: np.ascontiguousarray(batch)}
        return session.run(["probabilities"], inputs)[0]

    def _prediction(self, probabilities: Iterable[np.float32]) -> Prediction:
        values = [float(value) for value in probabilities]
        index = int(np.argmax(values))
        return Prediction(
            label=self.class_names[index],
            label_fr=self.class_names_fr[index],
            index=index,
            confidence=values[index],
            probabilities=dict(zip(self.class_names, values, strict=True)),
        )
