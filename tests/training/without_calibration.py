"""A bundle's network as it was before its answers were calibrated by how undecided they are."""

import onnx
import onnxruntime

from imagette.training.calibrate_bundle import remove_calibration


def session_of_network(bundle):
    proto = remove_calibration(onnx.load(bundle))
    return onnxruntime.InferenceSession(proto.SerializeToString())


def answers_of_network(bundle, images):
    """Probabilities float32 `(n, classes)` of uint8 pictures."""
    return session_of_network(bundle).run(["probabilities"], {"image": images})[0]
