"""What a head in closed form answers: to test pictures or, where there are none, to each picture
that it learned, by a head that has not learned that one."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imagette.data import Dataset, Part
from imagette.features.collect import Collected
from imagette.heads.head import Head, LeftOut

LEFT_OUT = "leave-one-out"


@dataclass(frozen=True)
class Answers:
    """Answers to be measured.

    Attributes:
        part: the pictures asked about.
        split: which they are: `test`, `validation`, `leave-one-out` or `all`.
        probabilities: float32 `(n, classes)`.
        familiarity: float32 `(n,)`, or None where the model cannot tell.
    """

    part: Part
    split: str
    probabilities: NDArray[np.float32]
    familiarity: NDArray[np.float32] | None


def measure_collected(
    dataset: Dataset, collected: Collected, head: Head, left_out: LeftOut
) -> Answers:
    """The answers that say how good a head is."""
    if dataset.test is None or collected.test is None:
        return Answers(dataset.train, LEFT_OUT, left_out.probabilities, left_out.familiarity)
    return Answers(dataset.test, "test", *head.answer(collected.test.rows))
