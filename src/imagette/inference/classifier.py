"""Picture in, prediction out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, overload

import numpy as np
from numpy.typing import NDArray

from imagette.errors import ImageError, ImagetteError
from imagette.images.batches import batches, default_batch_size
from imagette.images.formats import MAX_PIXELS, ImageInput
from imagette.images.open_image import open_image
from imagette.images.views import REDUCING_GAP, View, ViewName
from imagette.inference.bundle import BundleMetadata, open_bundle
from imagette.inference.explain import heat_maps, spread

BATCH_SIZE = 256

Views = tuple[View, ...]
"""The looks that are taken at one picture, as `Classifier.views` gives them."""


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


class Runnable(Protocol):
    """What runs on pixels: an open `imagette.inference.bundle.Bundle`, or what does the same."""

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
        """Probabilities `(n, classes)` and familiarity `(n,)`, as of `Bundle.run`."""


class Classifier:
    """A bundle, ready to answer.

    Args:
        bundle: path of a `.onnx` bundle or of a run, or the name of a model that ships with the
            package, `cifar10` or `cifar10-lite`; `cifar10` if None. Or what runs as a bundle does.
        threads: CPU threads one prediction may use; ONNX Runtime's choice if None.
        max_pixels: pictures with more pixels than this are refused.

    Raises:
        ImagetteError: the file is missing or is not a bundle.
    """

    def __init__(
        self,
        bundle: str | Path | Runnable | None = None,
        *,
        threads: int | None = None,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        if bundle is None or isinstance(bundle, str | Path):
            bundle = open_bundle(bundle, threads)
        self._bundle = bundle
        self.max_pixels = max_pixels
        self.path = bundle.path
        self.sha256: str = getattr(bundle, "sha256", "")
        self.metadata = bundle.metadata
        self.class_names = self.metadata.class_names
        self.class_names_fr = self.metadata.class_names_fr
        self.height = bundle.height
        self.width = bundle.width

    @property
    def at_least(self) -> int:
        """How many pixels of a picture's shorter side are enough, as for
        `imagette.images.open_image.OpenedImage.to_rgb`."""
        return REDUCING_GAP * max(self.height, self.width)

    @property
    def view(self) -> ViewName:
        """What of a picture the model is given where it is looked at once, as a dataset's are:
        `metadata.view`, or all of the picture where that is None."""
        return self.metadata.view or "whole"

    @overload
    def predict(self, image: ImageInput | Views) -> Prediction: ...
    @overload
    def predict(self, image: list[Any]) -> list[Prediction]: ...
    def predict(self, image: ImageInput | Views | list[Any]) -> Prediction | list[Prediction]:
        """Say what a picture, or each picture of a list, shows.

        Where the model has no `view` in its metadata, a large picture is looked at several times
        (see `imagette.images.open_image.OpenedImage.views`), and the answers are averaged.

        Args:
            image: a path, the bytes of a file, a PIL image, an array (see
                `imagette.images.array.from_array`), or the `views` of one; or a list of those.

        Returns:
            A `Prediction`, or a list of them for a list.

        Raises:
            ImageError: a picture cannot be read or has too many pixels.
        """
        if not isinstance(image, list):
            return self._predict([image])[0]
        # In batches, so that a long list of large pictures never lies decoded in memory at once.
        predictions: list[Prediction] = []
        for batch in batches(len(image), BATCH_SIZE):
            predictions += self._predict(image[batch])
        return predictions

    def explain(self, image: ImageInput | Views, index: int | None = None) -> Explanation:
        """Say what a picture shows, and where in it lies what that rests on.

        Args:
            image: one, as `predict` takes it.
            index: the class to explain, by its position; the most probable one if None.

        Raises:
            ImageError: the picture cannot be read or has too many pixels.
        """
        views = self.views(image)
        prediction = self._predict([views])[0]
        index = prediction.index if index is None else index
        images = np.stack([view.pixels for view in views])
        sure = self.predict_proba(images)[:, index]
        # One view alone, because each costs as much as many answers: all of the picture, unless a
        # closer view is more than twice as sure of the class.
        chosen = int(np.argmax(sure > sure.max() / 2))  # the first of them
        [heat] = self.heat_maps(images[chosen : chosen + 1], np.array([index]))
        heat = spread(heat, views[chosen].box, views[chosen].aspect)
        return Explanation(prediction, index, heat)

    def views(self, image: ImageInput | Views) -> Views:
        """The looks that are taken at a picture; the first of several is at all of it.

        Args:
            image: one, as `predict` takes it; views are given back as they are.

        Raises:
            ImageError: the picture cannot be read or has too many pixels.
        """
        if isinstance(image, tuple) and image and isinstance(image[0], View):
            return image
        if isinstance(image, list | tuple):
            raise ImageError(
                f"A {type(image).__name__} is not one picture.",
                "Make rows of numbers an array, `np.array(rows, np.uint8)`; give several pictures"
                " to `predict`, as a list.",
            )
        opened = open_image(image, self.max_pixels, self.at_least)
        return opened.views(self.height, self.width, self.metadata.view)

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
        is_array = isinstance(images, np.ndarray)
        if not is_array or images.dtype != np.uint8 or images.shape[1:] != size:
            what = f"shape {images.shape} and type {images.dtype}" if is_array else "another type"
            raise ImagetteError(
                f"Pictures of {what} are not what this model takes: uint8"
                f" (n, {self.height}, {self.width}, 3).",
                "Resize them with `views`, or give any pictures to `predict`.",
            )
        batch_size = batch_size or default_batch_size(BATCH_SIZE, self.height, self.width)
        if len(images) <= batch_size:
            return self._bundle.run(images)
        probabilities = np.empty((len(images), len(self.class_names)), np.float32)
        familiarity = np.empty(len(images), np.float32)
        knows = self.metadata.familiarity_threshold is not None
        for batch in batches(len(images), batch_size):
            probabilities[batch], found = self._bundle.run(images[batch])
            if found is not None:
                familiarity[batch] = found
        return probabilities, familiarity if knows else None

    def heat_maps(
        self, images: NDArray[np.uint8], indices: NDArray[np.integer]
    ) -> NDArray[np.float32]:
        """How much each part of each picture speaks for a class (see `imagette.inference.explain`).

        Args:
            images: uint8 `(n, height, width, 3)`, as the network takes them.
            indices: `(n,)`, for each picture the class to explain.

        Returns:
            float32 `(n, height, width)` in 0–1.
        """
        return heat_maps(self.predict_proba, images, indices)

    def _predict(self, images: Sequence[ImageInput | Views]) -> list[Prediction]:
        """What each of a few pictures shows: the answers to its views, averaged."""
        looks = [self.views(image) for image in images]
        every = [view.pixels for views in looks for view in views]
        pixels = every[0][np.newaxis] if len(every) == 1 else np.array(every)
        probabilities, familiarity = self.predict_arrays(pixels)
        if len(pixels) > len(looks):  # rarely so of what an API is asked
            ends = np.cumsum([len(views) for views in looks])[:-1]
            probabilities = _means(probabilities, ends)
            familiarity = None if familiarity is None else _means(familiarity, ends)
        known = [None] * len(looks) if familiarity is None else familiarity.tolist()
        return list(map(self._prediction, probabilities.tolist(), known))

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


def _means(rows: NDArray[np.float32], ends: NDArray[np.integer]) -> NDArray[np.float32]:
    """The mean of each group of rows; all but the last end before the rows at `ends`."""
    return np.stack([group.mean(axis=0) for group in np.split(rows, ends)])
