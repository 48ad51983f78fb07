"""Whether a bundle answers as the network does that it was made of, on real pictures."""

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image

from imagette.assets import list_samples
from imagette.images.open_image import to_pixels

if TYPE_CHECKING:
    import onnx

MOST_DIFFERENCE = 1e-3
"""How far a probability may be from the original's."""


@cache
def sample_pictures(height: int, width: int) -> NDArray[np.uint8]:
    """The pictures that ship with the package, uint8 `(n, height, width, 3)`."""
    return np.stack([to_pixels(sample.path, height, width) for sample in list_samples()])


def to_greys(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Greys `(n, height, width, 1)` of colours, as Pillow makes them."""
    return np.stack([np.asarray(Image.fromarray(image).convert("L")) for image in images])[
        ..., None
    ]


def greatest_difference(
    bundle: "onnx.ModelProto", images: NDArray[np.uint8], expected: NDArray[np.float32]
) -> float:
    """How far a bundle's probabilities are from those expected, at most; infinite where it does not
    run, or answers with something else."""
    try:
        session = onnxruntime.InferenceSession(
            bundle.SerializeToString(), silent(), providers=["CPUExecutionProvider"]
        )
        [found] = session.run(["probabilities"], {"image": images})
    # ONNX Runtime has a dozen exception types with no common base but Exception.
    except Exception:
        return np.inf
    if found.shape != expected.shape:
        return np.inf
    difference = float(np.abs(found - expected).max())
    return np.inf if np.isnan(difference) else difference


def silent() -> onnxruntime.SessionOptions:
    """Options of a session that prints nothing."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what it would print is told by an ImagetteError
    return options
