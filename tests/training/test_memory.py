"""How much memory a training takes, measured from outside."""

import pytest
import torch

from imagette.training.hardware import choose_precision

# Part of CIFAR-10, and the memory of the rest. What takes most are the steps of the larger pictures
# and a whole batch of pictures held out, for which 25,000 are enough.
CODE = """
import sys, imagette, numpy as np
from imagette.training import calibrate_bundle
calibrate_bundle.MOST_IMAGES = 20
rest = np.ones((35_000, 32, 32, 3), np.uint8)
random = np.random.default_rng(0)
images, tested = [
    random.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8) for count in (25_000, 100)
]
labels = np.arange(25_000) % 10
recipe = imagette.Recipe.load("sprint-94").change(epochs=0.02, progressive_share=0.0)
dataset = imagette.Dataset.from_arrays(
    images, labels, test_images=tested, test_labels=labels[:100]
)
imagette.train(dataset, recipe, runs_dir=sys.argv[1])
"""


@pytest.mark.slow
def test_the_largest_sprint_fits_in_2500_mb(tmp_path, peak_memory):
    """Steps of the larger pictures, measuring and saving: the peak of a whole training."""
    narrow = choose_precision(torch.device("cpu"), "auto") == torch.bfloat16
    # Activations of float32 take twice as much.
    assert peak_memory(CODE, tmp_path) < (2.5e9 if narrow else 3.2e9)


OUTLIERS = """
import torch
from imagette.training.synthetic_outliers import make_outliers
make_outliers(torch.randint(0, 256, (22_500, 32, 32, 3), dtype=torch.uint8))
"""


@pytest.mark.slow
def test_outliers_of_all_pictures_fit_in_1200_mb(peak_memory):
    assert peak_memory(OUTLIERS) < 1.2e9
