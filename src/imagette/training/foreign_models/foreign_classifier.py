"""What a classifier from elsewhere is here, whatever kind of file it came as."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from imagette.training.foreign_models.picture_input import PictureInput

if TYPE_CHECKING:
    import onnx


@dataclass(frozen=True)
class ForeignClassifier:
    """A classifier from elsewhere.

    Attributes:
        name: of its file.
        takes: what it takes.
        outputs: how many numbers it gives for each picture.
        make_network: makes `network`, which can take a minute.
        answer: what computes what it gives where it was made: from pictures as `takes` arranges
            them to float32 `(n, outputs)`, or with further axes of length 1.
        parameters: number of its weights, None where that cannot be told.
    """

    name: str
    takes: PictureInput
    outputs: int
    make_network: "Callable[[], onnx.ModelProto]"
    answer: Callable[[NDArray], NDArray[np.float32]]
    parameters: int | None = None

    @cached_property
    def network(self) -> "onnx.ModelProto":
        """Its graph, from what it takes to the scores of its classes: its only input and its only
        output."""
        return self.make_network()
