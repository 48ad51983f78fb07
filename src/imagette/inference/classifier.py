"""Picture in, prediction out."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, overload

import numpy as np
from numpy.typing import NDArray

from imagette.errors import ImagetteError
from imagette.images.batches import batches, default_batch_size
from imagette.images.preprocess import (
    MAX_PIXELS,
    Picture,
    Turn,
    View,
    at_once,
    to_pixels,
    to_views,
)
from imagette.inference.bundle import BundleMetadata, open_bundle
from imagette.inference.explain import heat_maps, spread

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
        known: whether the picture looks like those of the classes at all; None where the bundle
            cannot tell.
        familiarity: how much it looks like them, 0–1: for 95 % of such pictures at least the
            bundle's threshold, below which a picture is not `known`. None where it cannot tell.
    """

    label: str
    label_fr: str
    index: int
    confidence: float
    probabilities: dict[str, float]
    known: bool | None = None
    familiarity: float | None = None


@dataclass(frozen=True)
class Explanation:
    """A prediction, and where in the picture lies what it rests on.

    Attributes:
        prediction: about the picture.
        index: the class that is explained, by its position.
        heat: float32 `(rows, columns)` in 0–1, for the whole picture: 1 where covering it takes
            most from that class, 0 where it takes nothing.
    """

    prediction: Prediction
    index: int
    heat: NDArray[np.float32]


class Answering(Protocol):
    """What answers about pixels: an open `imagette.inference.bundle.Bundle`, or what does the same.

    Attributes:
        path: where it is kept.
        metadata: what it says of itself.
        height: rows of the pictures that it takes.
        width: columns of the pictures that it takes.
    """

    @property
    def path(self) -> Path: ...
    @property
    def metadata(self) -> BundleMetadata: ...
    @property
    def height(self) -> int: ...
    @property
    def width(self) -> int: ...
    def run(
        self, images: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """Probabilities `(n, classes)` and familiarity `(n,)`, as of `Bundle.answer`."""


class Classifier:
    """A bundle, ready to answer.

    Args:
        bundle: path of a `.onnx` bundle or of a run, or the name of a model that ships with the
            package, `cifar10` or `cifar10-lite`; `cifar10` if None. Or what answers as a bundle
            does.
        threads: CPU threads one prediction may use; ONNX Runtime's choice if None.
        max_pixels: pictures with more pixels than this are refused.

    Raises:
        ImagetteError: the file is missing or is not a bundle.
    """

    def __init__(
        self,
        bundle: str | Path | Answering | None = None,
        *,
        threads: int | None = None,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        if bundle is None or isinstance(bundle, str | Path):
            bundle = open_bundle(bundle, threads)
        self._bundle = bundle
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

        Where the model has no `view`, a large picture is looked at several times (see
        `preprocess.to_views`), and the answers are averaged.

        Args:
            picture: a path, the bytes of a file, a PIL image, an array (see
                `imagette.images.preprocess.from_array`), or a list of those.

        Returns:
            A `Prediction`, or a list of them for a list.

        Raises:
            ImageError: a picture cannot be read or has too many pixels.
        """
        if not isinstance(picture, list):
            return self.predict_views([self.views(picture)])[0]
        # In batches, so that a long list of large pictures never lies decoded in memory at once.
        predictions: list[Prediction] = []
        for portion in batches(len(picture), BATCH_SIZE):
            predictions += self.predict_views([self.views(one) for one in picture[portion]])
        return predictions

    def explain(self, picture: Picture, index: int | None = None) -> Explanation:
        """Say what a picture shows, and where in it lies what that rests on.

        Args:
            picture: one, as `predict` takes it.
            index: the class to explain, by its position; the most probable one if None.

        Raises:
            ImageError: the picture cannot be read or has too many pixels.
        """
        return self.explain_views(self.views(picture), index)

    def explain_views(self, views: list[View], index: int | None = None) -> Explanation:
        """What `explain` gives, for the views of a picture."""
        prediction = self.predict_views([views])[0]
        index = prediction.index if index is None else index
        return Explanation(prediction, index, self._heat(views, index))

    def views(self, picture: Picture, turn: Turn = at_once) -> list[View]:
        """The looks that are taken at a picture; the first is at all of it.

        Args:
            picture: as for `predict`.
            turn: gives for a number of pixels what is to be entered while so many are decoded.

        Raises:
            ImageError: the picture cannot be read or has too many pixels.
        """
        view = self.metadata.view
        return to_views(picture, self.height, self.width, self.max_pixels, turn, view)

    def preprocess(self, picture: Picture) -> NDArray[np.uint8]:
        """What the network sees of a picture at first: uint8 `(height, width, 3)`.

        Raises:
            ImageError: the picture cannot be read or has too many pixels.
        """
        view = self.metadata.view or "whole"
        return to_pixels(picture, self.height, self.width, self.max_pixels, view=view)

    def predict_proba(
        self, images: NDArray[np.uint8], batch_size: int | None = None
    ) -> NDArray[np.float32]:
        """Probabilities for pictures that are already as the network takes them.

        Args:
            images: uint8 `(n, height, width, 3)`.
            batch_size: pictures given to the network at once; fewer of large ones if None.

        Returns:
            float32 `(n, classes)`.

        Raises:
            ImagetteError: the pictures have another size or type.
        """
        return self.predict_arrays(images, batch_size)[0]

    def predict_arrays(
        self, images: NDArray[np.uint8], batch_size: int | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """Probabilities and familiarity of pictures that are already as the network takes them.

        Args:
            images: uint8 `(n, height, width, 3)`.
            batch_size: pictures given to the network at once; fewer of large ones if None.

        Returns:
            float32 `(n, classes)`, and float32 `(n,)` in 0–1, or None where the bundle cannot tell.

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
        batch_size = batch_size or default_batch_size(BATCH_SIZE, self.height, self.width)
        if len(images) <= batch_size:
            return self._bundle.run(images)
        probabilities = np.empty((len(images), len(self.class_names)), np.float32)
        familiarity = np.empty(len(images), np.float32)
        knows = self.metadata.familiarity_threshold is not None
        for portion in batches(len(images), batch_size):
            probabilities[portion], found = self._bundle.run(images[portion])
            if found is not None:
                familiarity[portion] = found
        return probabilities, familiarity if knows else None

    def heat_maps(
        self, images: NDArray[np.uint8], indices: NDArray[np.integer]
    ) -> NDArray[np.float32]:
        """How much each part of each picture speaks for a class (see `inference.explain`).

        Args:
            images: uint8 `(n, height, width, 3)`, as the network takes them.
            indices: `(n,)`, for each picture the class to explain.

        Returns:
            float32 `(n, height, width)` in 0–1.
        """
        return heat_maps(self.predict_proba, images, indices)

    def predict_pixels(self, images: NDArray[np.uint8]) -> list[Prediction]:
        """Predictions for pictures that are already as the network takes them.

        Args:
            images: uint8 `(n, height, width, 3)`.
        """
        probabilities, familiarity = self.predict_arrays(images)
        if familiarity is None:
            return [self._prediction(row, None) for row in probabilities.tolist()]
        pairs = zip(probabilities.tolist(), familiarity.tolist(), strict=True)
        return [self._prediction(*pair) for pair in pairs]

    def predict_views(self, pictures: list[list[View]]) -> list[Prediction]:
        """Predictions about pictures, each from its views: their answers are averaged."""
        images = np.array([view.pixels for views in pictures for view in views])
        if len(images) == len(pictures):  # small ones: most of what an API is asked, and quicker
            return self.predict_pixels(images)
        probabilities, familiarity = self.predict_arrays(images)
        predictions, start = [], 0
        for views in pictures:
            portion = slice(start, start + len(views))
            start = portion.stop
            known = None if familiarity is None else float(familiarity[portion].mean())
            means = probabilities[portion].mean(axis=0).tolist()
            predictions.append(self._prediction(means, known))
        return predictions

    def _heat(self, views: list[View], index: int) -> NDArray[np.float32]:
        """Where in a picture lies what speaks for a class.

        That of one view, because each costs as much as many answers: all of the picture, unless a
        closer view is more than twice as sure of the class.
        """
        images = np.stack([view.pixels for view in views])
        sure = self.predict_proba(images)[:, index]
        chosen = int(np.argmax(sure > sure.max() / 2))  # the first of them
        heat = self.heat_maps(images[chosen : chosen + 1], np.array([index]))[0]
        return spread(heat, views[chosen].box, views[chosen].aspect)

    def _prediction(self, probabilities: list[float], familiarity: float | None) -> Prediction:
        index = max(range(len(probabilities)), key=probabilities.__getitem__)
        threshold = self.metadata.familiarity_threshold
        return Prediction(
            label=self.class_names[index],
            label_fr=self.class_names_fr[index],
            index=index,
            confidence=probabilities[index],
            probabilities=dict(zip(self.class_names, probabilities, strict=True)),
            known=None if familiarity is None or threshold is None else familiarity >= threshold,
            familiarity=familiarity,
        )
