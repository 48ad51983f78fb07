"""ONNX files from elsewhere, as the exporters of PyTorch, TensorFlow and others write them."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from onnxruntime.quantization import quantize_dynamic
from scipy.special import softmax
from support.onnx_models import answers_of, onnx_classifier, scale

from imagette import Classifier, ImagetteError
from imagette.training.export import export
from imagette.training.foreign_models.compare import sample_pictures, to_greys

NAMES = ["a", "b", "c"]
OF_ONE = ("Reshape", [np.array([1, -1])], {})
"""How exporters write `x.view(1, -1)`: it holds for one picture alone."""
TO_FLOAT = [("Cast", [], {"to": TensorProto.FLOAT})]
NHWC, NCHW, ALL = {"layout": "nhwc"}, {"layout": "nchw"}, {"layout": "open", "size": "s"}


@pytest.mark.parametrize(
    ("made", "said", "size"),
    [
        (NCHW, {}, 32),
        (NHWC, {}, 32),
        ({**NCHW, "batch": 1}, {}, 32),
        ({**NCHW, "batch": 1, "flatten": OF_ONE}, {}, 32),
        ({**NHWC, "batch": 1, "flatten": OF_ONE, "dtype": TensorProto.FLOAT16}, {}, 32),
        ({**NCHW, "size": "side"}, {"image_size": 40}, 40),
        (ALL, {"layout": "nchw", "image_size": 24}, 24),
        ({**NCHW, "size": 3}, {"layout": "nchw"}, 3),
        ({**NCHW, "dtype": TensorProto.FLOAT16}, {}, 32),
        ({**NHWC, "dtype": TensorProto.UINT8, "front": [*TO_FLOAT, *scale(1 / 255)]}, {}, 32),
        ({**NCHW, "channels": 1, "size": 28}, {}, 28),
        ({**NCHW, "opset": 7}, {}, 32),
        ({**NCHW, "opset": 11}, {}, 32),
        ({**NCHW, "opset": 21}, {}, 32),
    ],
)
def test_a_bundle_answers_as_onnx_runtime_does(tmp_path, made, said, size):
    path = onnx_classifier(tmp_path / "theirs.onnx", **made)
    whole = made.get("dtype") == TensorProto.UINT8
    exported = export(path, classes=NAMES, pixels=None if whole else 1, **said)
    assert exported.path == tmp_path / "theirs-bundle.onnx"
    pictures = sample_pictures(size, size)
    shown = to_greys(pictures) if made.get("channels") == 1 else pictures
    taken = shown if whole else shown / np.float32(255)
    if made["layout"] != "nhwc":
        taken = taken.transpose(0, 3, 1, 2)
    half = made.get("dtype") == TensorProto.FLOAT16
    own = answers_of(path, np.ascontiguousarray(taken.astype(np.float16) if half else taken))
    classifier = Classifier(exported.path)
    assert np.abs(classifier.predict_proba(pictures) - softmax(own, axis=1)).max() < 1e-3
    assert np.ptp(own, axis=0).max() > 0.01
    assert classifier.class_names == tuple(NAMES)


def test_weights_in_another_file_come_along(tmp_path):
    path = onnx_classifier(tmp_path / "m.onnx")
    options = {"save_as_external_data": True, "location": "m.data", "size_threshold": 0}
    onnx.save(onnx.load(path), path, **options)
    bundle = export(path, classes=NAMES, pixels="imagenet").path
    (tmp_path / "m.data").unlink()
    assert Classifier(bundle).predict_proba(sample_pictures(32, 32)).shape == (8, 3)
    with pytest.raises(ImagetteError, match=r"lie in another file.*beside"):
        export(path, classes=NAMES, pixels="imagenet")


@pytest.mark.parametrize(
    ("made", "said", "message"),
    [
        ({}, {"classes": ["a"]}, r"3 outputs, and 1 class names were given.*--classes"),
        ({}, {"layout": "nhwc"}, r"read as nhwc, they have 32 channels.*other --layout"),
        ({}, {"image_size": 64}, r"of 32×32 and no others.*Leave out --image-size"),
        ({"size": "s"}, {}, r"any size.*--image-size 224"),
        (ALL, {}, r"does not tell where the channels.*--layout nchw"),
        ({"size": 3}, {}, r"does not tell where the channels.*--layout nchw"),
        ({"channels": 4}, {}, r"no pictures that a bundle can give"),
        ({"size": 5000}, {}, r"larger than a bundle may ask for"),
        ({"batch": 8}, {}, r"8 pictures at once.*batch of one"),
        ({"flatten": ("Relu", [], {})}, {}, r"does not run|not one row of classes"),
        ({"channels": 1}, {"pixels": "imagenet"}, r"one channel.*mean=M"),
        ({}, {"format": "keras"}, r"cannot be turned back into a Keras model.*--format onnx"),
    ],
)
def test_what_cannot_be_is_refused_with_what_can(tmp_path, made, said, message):
    path = onnx_classifier(tmp_path / "m.onnx", **made)
    said = {"pixels": 1} | ({} if "format" in said else {"classes": NAMES}) | said
    with pytest.raises(ImagetteError, match=message):
        export(path, **said)
    assert list(tmp_path.iterdir()) == [path]


def test_files_that_are_no_models_and_bundles(tmp_path, bundle_path):
    (tmp_path / "broken.onnx").write_bytes(b"nonsense")
    old = onnx_classifier(tmp_path / "old.onnx", opset=6)
    new = onnx_classifier(tmp_path / "new.onnx", opset=200)
    for path, message in (
        (tmp_path / "broken.onnx", r"cannot be read as an ONNX file"),
        (tmp_path / "absent.onnx", r"no file .*absent\.onnx"),
        (bundle_path, r"is a bundle already.*imagette serve --model"),
        (old, r"opset 6 .* too old.*version_converter"),
        (new, r"does not run in ONNX Runtime .*older opset"),
    ):
        with pytest.raises(ImagetteError, match=message):
            export(path, classes=NAMES, pixels=1)


def test_nodes_may_come_in_any_order(tmp_path):
    path = onnx_classifier(tmp_path / "m.onnx", front=scale(1 / 255))
    own = Classifier(export(path, classes=NAMES).path).predict_proba(sample_pictures(32, 32))
    network = onnx.load(path)
    nodes = list(network.graph.node)
    del network.graph.node[:]
    network.graph.node.extend(nodes[::-1])
    onnx.save(network, path)
    found = Classifier(export(path, classes=NAMES).path).predict_proba(sample_pictures(32, 32))
    assert np.abs(found - own).max() < 1e-6


def test_logits_in_8_bits_scaled_as_they_are_computed(tmp_path):
    path = onnx_classifier(tmp_path / "m.onnx")
    quantize_dynamic(path, tmp_path / "8-bit.onnx")
    bundle = export(tmp_path / "8-bit.onnx", classes=NAMES, pixels=1).path
    taken = (sample_pictures(32, 32) / np.float32(255)).transpose(0, 3, 1, 2)
    one_by_one = [answers_of(tmp_path / "8-bit.onnx", taken[n : n + 1]) for n in range(len(taken))]
    own = softmax(np.concatenate(one_by_one), axis=1)
    assert np.abs(Classifier(bundle).predict_proba(sample_pictures(32, 32)) - own).max() < 1e-3


def test_more_weights_than_one_file_can_hold_are_refused_unread(tmp_path):
    path = onnx_classifier(tmp_path / "m.onnx")
    network = onnx.load(path)
    network.graph.initializer.add(name="vast", data_type=TensorProto.FLOAT, dims=[1 << 30])
    onnx.save(network, path)
    with pytest.raises(ImagetteError, match=r"4\.0 GB of weights.*less than 2"):
        export(path, classes=NAMES, pixels=1)
