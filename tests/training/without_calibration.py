"""A bundle's network as it was before its answers were calibrated by how undecided they are."""

import onnx
import onnxruntime

from imagette.training.calibrate_bundle import remove_finish


def session_of_network(bundle):
    proto = onnx.load(bundle)
    remove_finish(proto)
    return onnxruntime.InferenceSession(proto.SerializeToString())


def answers_of_network(bundle, images):
    """Probabilities float32 `(n, classes)` of uint8 pictures."""
    return session_of_network(bundle).run(["probabilities"], {"image": images})[0]
