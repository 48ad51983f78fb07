"""The digits that scikit-learn carries."""

import numpy as np
import pytest

from imagette import load_dataset


@pytest.mark.slow
def test_all_digits_are_there_in_colour_and_full_range(digits):
    assert (len(digits.train), len(digits.test)) == (1437, 360)
    assert digits.train.images.shape[1:] == (32, 32, 3)
    assert digits.train.images.min() == 0
    assert digits.train.images.max() == 255
    assert (digits.train.images[..., 0] == digits.train.images[..., 2]).all()


def test_the_test_part_is_a_stratified_fifth_and_always_the_same(digits):
    shares = np.bincount(digits.test.labels) / np.bincount(
        np.concatenate([digits.train.labels, digits.test.labels])
    )
    assert np.allclose(shares, 0.2, atol=0.01)
    assert np.array_equal(load_dataset("digits").test.images, digits.test.images)
    train = {picture.tobytes() for picture in digits.train.images}
    assert not any(picture.tobytes() in train for picture in digits.test.images)
