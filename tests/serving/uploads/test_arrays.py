"""Lists of numbers: their shape and their values."""

import numpy as np
import pytest
from support.clients import GREY, PIXELS, assert_refused, assert_same

WITH_ALPHA = np.dstack([PIXELS, np.full_like(GREY, 255)])


@pytest.mark.parametrize("scale", ["0 to 1", "0 to 255", "0.0 to 255.0"])
@pytest.mark.parametrize(
    ("field", "pixels", "count"),
    [
        ("image", PIXELS, None), ("image", WITH_ALPHA, None), ("image", PIXELS[None], None),
        ("image", np.stack([PIXELS, PIXELS]), 2), ("instances", PIXELS[None], 1),
        ("instances", PIXELS, 1), ("instances", np.stack([PIXELS, PIXELS, PIXELS]), 3),
    ],
)  # fmt: skip
def test_colour(client, right, field, pixels, count, scale):
    values = {"0 to 1": pixels / 255, "0 to 255": pixels, "0.0 to 255.0": pixels * 1.0}[scale]
    assert_same(client.post("/predict", json={field: values.tolist()}), right, count)


@pytest.mark.parametrize(
    ("field", "pixels", "count"),
    [
        ("image", GREY, None), ("image", GREY[..., None], None), ("image", GREY[None], None),
        ("instances", GREY[None], 1), ("instances", np.stack([GREY] * 4), 4),
        ("instances", GREY[None, ..., None], 1),
    ],
)  # fmt: skip
def test_greyscale(client, right_grey, field, pixels, count):
    for values in (pixels, pixels / 255):
        assert_same(client.post("/predict", json={field: values.tolist()}), right_grey, count)


def test_zeros_and_ones_are_0_to_1_unless_another_picture_tells(client):
    """Ones are white by themselves, and nearly black beside a picture of 0–255."""
    ones, rest = np.ones((32, 32, 3), int).tolist(), PIXELS.tolist()
    white = client.post("/predict", json={"image": [[[1.0, 1.0, 1.0]]]}).json
    black = client.post("/predict", json={"image": (np.ones((32, 32, 3)) / 255).tolist()}).json
    assert client.post("/predict", json={"image": ones}).json == white
    beside = client.post("/predict", json={"images": [ones, rest]}).json["predictions"][0]
    assert beside["probabilities"] == black["probabilities"] != white["probabilities"]


@pytest.mark.parametrize(
    ("pixels", "words"),
    [
        (PIXELS.ravel(), "flat list of 3072 values"),
        (PIXELS.reshape(1, -1), "flat list"),
        (PIXELS.transpose(2, 0, 1), "(3, 32, 32), seems to have its channels first"),
        (PIXELS.transpose(2, 0, 1)[None], "channels first"),
        (PIXELS[..., :2], "(32, 32, 2)"),
        (PIXELS[None, None], "(1, 1, 32, 32, 3)"),
        (np.zeros((5, 28, 28)), "(5, 28, 28)"),
        (np.zeros((513, 2)), "`image` is too long"),
        (np.zeros((2, 513)), "`image[0]` is too long"),
    ],
)
def test_other_shapes_are_refused(client, pixels, words):
    assert_refused(client.post("/predict", json={"image": pixels.tolist()}), "wrong-shape", words)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (PIXELS / 127.5 - 1, "neither all from 0 to 1 nor all whole and from 0 to 255"),
        (PIXELS + 0.5, "is "),
        (PIXELS.astype(int) * 257, "normalise them no further"),
        (np.full((4, 4, 3), 256), "`image[0][0][0]` is 256"),
        (np.full((4, 4, 3), -1), "`image[0][0][0]` is -1"),
    ],
)
def test_other_values_are_refused(client, values, words):
    assert_refused(client.post("/predict", json={"image": values.tolist()}), "wrong-values", words)


@pytest.mark.parametrize(
    ("odd", "kind"),
    [(-1, "wrong-shape"), (None, "wrong-shape"), ([], "wrong-shape"), ([[1]], "wrong-shape"),
     ([[]], "wrong-shape"), ([[[[1]]]], "wrong-values"), ([[[0, 0, 10**400]]], "wrong-values")],
)  # fmt: skip
def test_one_odd_array_among_others_is_reported_in_its_place(client, odd, kind):
    answers = client.post("/predict", json={"instances": [PIXELS.tolist(), odd]}).json
    good, bad = answers["predictions"]
    assert "class" in good
    assert bad["type"] == f"urn:imagette:problem:{kind}"
    assert "`instances[1]" in bad["detail"]
