"""Which values of pixels a graph tells before its first weights, and which it does not."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from support.onnx_models import answers_of, batch_norm, normalise, onnx_classifier, scale

from imagette import Classifier, ImagetteError
from imagette.training.export import export
from imagette.training.foreign_models.compare import sample_pictures

IMAGENET = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
SOFTMAX = [("Softmax", [], {"axis": 1})]
BGR = ("Gather", [np.array([2, 1, 0])], {"axis": 1})
PADDING = ("Pad", [np.array([0, 0, 1, 1, 0, 0, 1, 1])], {})
CAFFE = [BGR, *scale(1, [-103.939, -116.779, -123.68])]
CAFFE_OF_ONE = [BGR, *scale(255, [-103.939, -116.779, -123.68])]
TO_255 = scale(127.5, 127.5)
TIMES_255 = scale(255)
ZERO_TO_ONE, ZERO_TO_255, MINUS_ONE_TO_ONE = (0, 1), (0, 255), (-1, 1)


@pytest.mark.parametrize(
    ("front", "first", "expected"),
    [
        (scale(1 / 255), None, ZERO_TO_255),
        (scale(1 / 127.5, -1), None, ZERO_TO_255),
        (normalise(127, 128), None, ZERO_TO_255),
        (scale(1 / 255, -0.5), None, ZERO_TO_255),
        (scale(1 / 64, -122 / 64), None, ZERO_TO_255),
        ([*scale(1 / 255), *normalise(*IMAGENET)], None, ZERO_TO_255),
        (CAFFE, None, ZERO_TO_255),
        ([*scale(-1 / 255, 1), PADDING], None, ZERO_TO_255),
        ([*scale(1 / 255), ("Clip", [np.float32(0), np.float32(1)], {})], None, ZERO_TO_255),
        (scale(2, -1), None, ZERO_TO_ONE),
        (TIMES_255, None, ZERO_TO_ONE),
        (scale(1, -0.5), None, ZERO_TO_ONE),
        (scale(1 / 255, [-0.48, -0.45, -0.41]), None, ZERO_TO_255),
        (CAFFE_OF_ONE, None, ZERO_TO_ONE),
        (normalise(*IMAGENET), None, ZERO_TO_ONE),
        (scale(0.5, 0.5), None, MINUS_ONE_TO_ONE),
        (TO_255, None, MINUS_ONE_TO_ONE),
        (normalise([-0.03, -0.09, -0.19], [0.5, 0.49, 0.51]), None, MINUS_ONE_TO_ONE),
        ([], batch_norm([120, 115, 104], 60), ZERO_TO_255),
        ([], batch_norm([0.47, 0.45, 0.41], 0.24), ZERO_TO_ONE),
        # Nothing tells, or more than one range would do.
        ([], None, None),
        ([BGR, PADDING], None, None),
        ([("Clip", [np.float32(0), np.float32(1)], {})], None, None),
        ([("Tanh", [], {})], None, None),
        (scale(0.3, 7), None, None),
        (normalise(0.4, 0.4), None, None),  # pale in -1…1, or of much contrast in 0–1
        (normalise(0.28, 0.63), None, None),  # a normalisation of 0–1 that has seen little
        ([], batch_norm(0, 1), None),
        ([], batch_norm(0.28, 0.63), None),
        ([], batch_norm([-0.03, -0.09, -0.19], 0.5), None),
    ],
)
def test_the_range_is_read_or_asked_for(tmp_path, front, first, expected):
    # So that no answer is so sure that wrong pixels would not change it.
    temperature = (
        200 if any(front is each for each in (CAFFE, CAFFE_OF_ONE, TO_255, TIMES_255)) else 1
    )
    back = [("Mul", [np.float32(1 / temperature)], {}), *SOFTMAX]
    path = onnx_classifier(tmp_path / "m.onnx", front=front, first=first, back=back)
    if expected is None:
        with pytest.raises(ImagetteError, match=r"cannot be told.*--pixels: 1 \(0 to 1\), 255"):
            export(path, classes=["a", "b", "c"])
        assert list(tmp_path.iterdir()) == [path]
        return
    exported = export(path, classes=["a", "b", "c"])
    found = Classifier(exported.path).predict_proba(sample_pictures(32, 32))
    for low, high in (ZERO_TO_ONE, ZERO_TO_255, MINUS_ONE_TO_ONE):
        taken = sample_pictures(32, 32).astype(np.float32) * ((high - low) / 255) + low
        own = answers_of(path, np.ascontiguousarray(taken.transpose(0, 3, 1, 2)))
        assert (np.abs(found - own).max() < 1e-3) == ((low, high) == expected)
    assert f"{expected[1]} (choose others with --pixels)" in exported.notes[0]


def test_what_is_said_counts_more_than_what_is_read(tmp_path):
    path = onnx_classifier(tmp_path / "m.onnx", front=scale(1 / 255), back=SOFTMAX)
    exported = export(path, classes=["a", "b", "c"], pixels=1)
    pictures = sample_pictures(32, 32)
    own = answers_of(path, (pictures / np.float32(255)).transpose(0, 3, 1, 2))
    assert np.abs(Classifier(exported.path).predict_proba(pictures) - own).max() < 1e-3
    assert "seems to expect pixels in 0–255" in exported.notes[0]
    assert not export(path, classes=["a", "b", "c"], pixels=255).notes


@pytest.mark.parametrize(
    ("front", "top"),
    [
        (scale(1, [-103.939, -116.779, -123.68]), 255),
        (normalise([0.406, 0.456, 0.485], [0.225, 0.224, 0.229]), 1),
    ],
)
def test_means_in_the_order_blue_green_red_tell_that_blue_comes_first(tmp_path, front, top):
    back = [("Mul", [np.float32(1 / top)], {}), *SOFTMAX]
    path = onnx_classifier(tmp_path / "m.onnx", front=front, back=back)
    exported = export(path, classes=["a", "b", "c"])
    assert f"0–{top}, in the order blue, green, red (choose" in exported.notes[0]
    pictures = sample_pictures(32, 32)
    taken = pictures[..., ::-1].transpose(0, 3, 1, 2) * np.float32(top / 255)
    own = answers_of(path, np.ascontiguousarray(taken))
    assert np.abs(Classifier(exported.path).predict_proba(pictures) - own).max() < 1e-3
    as_red_first = export(path, classes=["a", "b", "c"], pixels=top)
    assert "blue, green, red" in as_red_first.notes[0]
    assert np.abs(Classifier(as_red_first.path).predict_proba(pictures) - own).max() > 0.01


def test_signed_bytes_are_levels_less_128(tmp_path):
    front = [("Cast", [], {"to": TensorProto.FLOAT}), *scale(1 / 127.5)]
    path = onnx_classifier(tmp_path / "m.onnx", front=front, back=SOFTMAX, dtype=TensorProto.INT8)
    exported = export(path, classes=["a", "b", "c"])
    assert "pixels in −128…127 (choose" in exported.notes[0]
    pictures = sample_pictures(32, 32)
    taken = (pictures.astype(np.int16) - 128).astype(np.int8).transpose(0, 3, 1, 2)
    own = answers_of(path, np.ascontiguousarray(taken))
    assert np.abs(Classifier(exported.path).predict_proba(pictures) - own).max() < 1e-3


@pytest.mark.parametrize(
    ("dtype", "pixels", "remedy"),
    [
        (TensorProto.INT8, 255, "-128..127"),
        (TensorProto.UINT8, 1, "255"),
        (TensorProto.UINT8, "imagenet", "255"),
    ],
)
def test_pixels_that_whole_numbers_cannot_hold_are_refused(tmp_path, dtype, pixels, remedy):
    front = [("Cast", [], {"to": TensorProto.FLOAT})]
    path = onnx_classifier(tmp_path / "m.onnx", front=front, back=SOFTMAX, dtype=dtype)
    with pytest.raises(ImagetteError, match=f"whole numbers.*--pixels {remedy}"):
        export(path, classes=["a", "b", "c"], pixels=pixels)
    assert export(path, classes=["a", "b", "c"], pixels=remedy).path.exists()


def test_a_graph_without_weights_is_asked_for(tmp_path):
    path = tmp_path / "m.onnx"
    shape = onnx.helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 8, 8])
    rows = onnx.helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3])
    nodes = [
        onnx.helper.make_node("ReduceMean", ["x"], ["mean"], axes=[2, 3], keepdims=0),
        onnx.helper.make_node("Softmax", ["mean"], ["y"], axis=1),
    ]
    graph = onnx.helper.make_graph(nodes, "colours", [shape], [rows])
    opset = onnx.helper.make_opsetid("", 17)
    onnx.save(onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8), path)
    with pytest.raises(ImagetteError, match="cannot be told"):
        export(path, classes=["red", "green", "blue"])
    assert export(path, classes=["red", "green", "blue"], pixels=1).path.exists()
