"""A bundle's network as it was before its answers were calibrated by how undecided they are."""

import onnx

from imagette.training.calibrate_bundle import remove_calibration
from imagette.training.onnx_graph import run_to


def answers_of_network(bundle, images):
    """Probabilities float32 `(n, classes)` of uint8 pictures."""
    proto = remove_calibration(onnx.load(bundle))
    return run_to(proto, ["probabilities"], images)[0]
