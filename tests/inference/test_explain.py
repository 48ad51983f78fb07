"""Why: the heat map lies where what decided lies."""

import io
from functools import partial

import numpy as np
import pytest
from PIL import Image
from support.tiny_bundle import write_graph

from imagette.inference.classifier import Classifier
from imagette.inference.explain import heat_maps, heat_png, overlay, spread


def quarter(top=True, left=True):
    """Rows and columns of one quarter of a picture of 32×32 pixels."""
    return slice(0, 16) if top else slice(16, 32), slice(0, 16) if left else slice(16, 32)


def corner_answers(images, top=True, left=True):
    """A network that looks at one quarter only: red there is the first class."""
    rows, columns = quarter(top, left)
    red = images[:, rows, columns, 0].mean(axis=(1, 2)) / 255
    first = 1 / (1 + np.exp(-8 * (red - 0.5)))
    return np.stack([first, 1 - first], axis=1).astype(np.float32)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    """A bundle whose answer is how red the upper left quarter is."""
    path = tmp_path_factory.mktemp("corner") / "corner.onnx"
    constants = {
        "starts": np.array([0, 0, 0]), "ends": np.array([16, 16, 1]), "axes": np.array([1, 2, 3]),
        "weights": np.array([[0.02, -0.02]], np.float32),
        "biases": np.array([-2, 2], np.float32),
        "flat": np.array([1, 2]),
    }  # fmt: skip
    nodes = [
        ("Slice", ["image", "starts", "ends", "axes"], "quarter", {}),
        ("Cast", ["quarter"], "pixels", {"to": 1}),  # float32
        ("ReduceMean", ["pixels", "flat"], "red", {"keepdims": 0}),
        ("Gemm", ["red", "weights", "biases"], "logits", {}),
    ]
    return Classifier(write_graph(path, nodes, constants, ("red", "other"), ("rouge", "autre")))


def red_corner(height=32, width=32):
    pixels = np.full((height, width, 3), 90, np.uint8)
    pixels[: height // 2, : width // 2] = (255, 20, 20)
    return pixels


@pytest.mark.parametrize(("top", "left"), [(True, True), (True, False), (False, True)])
def test_the_heat_lies_where_the_network_looks(top, left):
    picture = np.full((32, 32, 3), 90, np.uint8)
    rows, columns = quarter(top, left)
    picture[rows, columns] = (255, 20, 20)
    answer = partial(corner_answers, top=top, left=left)
    [heat] = heat_maps(answer, picture[np.newaxis], np.array([0]))
    assert heat.shape == (32, 32)
    assert heat.dtype == np.float32
    assert heat.max() == pytest.approx(1)
    assert heat.min() >= 0
    inside = heat[rows, columns].mean()
    outside = (heat.sum() - heat[rows, columns].sum()) / (32 * 32 - 16 * 16)
    assert inside > 3 * outside
    row, column = np.unravel_index(heat.argmax(), heat.shape)
    assert rows.start <= row < rows.stop
    assert columns.start <= column < columns.stop


def test_what_takes_nothing_gives_no_heat():
    plain = np.full((1, 32, 32, 3), 120, np.uint8)
    assert heat_maps(corner_answers, plain, np.array([0])).max() == 0


def test_a_classifier_explains_the_answer_or_the_class_asked_for(classifier):
    explanation = classifier.explain(red_corner())
    assert explanation.prediction == classifier.predict(red_corner())
    assert explanation.prediction.label == "red"
    assert explanation.index == 0
    assert explanation.heat[:32, :32].mean() > 3 * explanation.heat[32:, 32:].mean()
    other = classifier.explain(red_corner(), index=1)
    assert other.index == 1
    assert not np.allclose(other.heat, explanation.heat)


@pytest.mark.parametrize(("height", "width"), [(300, 200), (200, 300), (64, 640), (32, 32)])
def test_a_map_has_the_pictures_proportions(classifier, height, width):
    heat = classifier.explain(red_corner(height, width)).heat
    assert max(heat.shape) == 64
    assert heat.shape[0] / heat.shape[1] == pytest.approx(height / width, rel=0.1)
    assert heat.min() >= 0
    assert heat.max() <= 1


def test_a_part_is_laid_where_it_came_from():
    whole = spread(np.ones((32, 32), np.float32), (0.25, 0, 0.75, 1), aspect=2)
    assert whole.shape == (32, 64)
    assert (whole[:, 16:48] == 1).all()
    assert (whole[:, :16] == 0).all()
    assert (whole[:, 48:] == 0).all()


def test_the_picture_of_a_map_is_clear_where_nothing_mattered():
    heat = np.zeros((4, 8), np.float32)
    heat[0, 0] = 1
    image = Image.open(io.BytesIO(heat_png(heat)))
    assert image.format == "PNG"
    assert (image.size, image.mode) == ((8, 4), "RGBA")
    alpha = np.asarray(image)[:, :, 3]
    assert alpha[0, 0] > 200
    assert alpha[2:].max() == 0


def test_an_overlay_changes_the_picture_where_it_mattered():
    image = Image.new("RGB", (64, 64), (10, 200, 10))
    heat = np.zeros((64, 64), np.float32)
    heat[:32] = 1
    laid = np.asarray(overlay(image, heat)).astype(int)
    assert laid.shape == (64, 64, 3)
    assert np.abs(laid[4] - np.asarray(image)[4]).max() > 80
    np.testing.assert_array_equal(laid[60], np.asarray(image)[60])
    np.testing.assert_array_equal(np.asarray(overlay(image, heat, opacity=0)), np.asarray(image))
