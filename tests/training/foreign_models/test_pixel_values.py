"""What `--pixels` takes, and what becomes of a picture by it."""

import numpy as np
import pytest

from imagette import ImagetteError
from imagette.training.foreign_models.pixel_values import parse_pixel_values

PICTURE = np.array([[[[0, 102, 255]]]], np.uint8)
IMAGENET = [(0 - 0.485) / 0.229, (0.4 - 0.456) / 0.224, (1 - 0.406) / 0.225]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (1, [0, 0.4, 1]),
        ("1", [0, 0.4, 1]),
        ("0-1", [0, 0.4, 1]),
        (255, [0, 102, 255]),
        ("-1..1", [-1, -0.2, 1]),
        ("-0.5..0.5", [-0.5, -0.1, 0.5]),
        ("imagenet", IMAGENET),
        ("mean=0.485,0.456,0.406:std=0.229,0.224,0.225", IMAGENET),
        ("mean=0.485,0.456,0.406;std=0.229,0.224,0.225", IMAGENET),
        ("mean=123.675,116.28,103.53:std=58.395,57.12,57.375", IMAGENET),
        ("mean=0.5:std=0.5", [-1, -0.2, 1]),
        ("mean=.5 std=.5", [-1, -0.2, 1]),
        ("mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]", IMAGENET),
        ("[0, 1]", [0, 0.4, 1]),
        ("mean=127:std=128", [-127 / 128, -25 / 128, 1]),
        ("caffe", [255 - 103.939, 102 - 116.779, -123.68]),
    ],
)
def test_values_of_pixels(said, expected):
    assert np.allclose(parse_pixel_values(said).of(PICTURE)[0, 0, 0], expected, atol=2e-4)


@pytest.mark.parametrize(
    "said", ["bright", "1..0", "0", "mean=0.5", "mean=0.5:std=0", "mean=1,2:std=1"]
)
def test_what_is_none_is_refused_with_those_that_are(said):
    with pytest.raises(ImagetteError, match=r"not a range of pixel values.*-1\.\.1, imagenet"):
        parse_pixel_values(said)


@pytest.mark.parametrize("said", ["imagenet", "caffe"])
def test_colours_are_not_given_to_a_network_of_greys(said):
    with pytest.raises(ImagetteError, match=r"one channel.*mean=M:std=S"):
        parse_pixel_values(said).of(PICTURE[..., :1])
