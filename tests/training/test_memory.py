"""How much memory a training takes, measured from outside."""

import pytest
import torch

from imagette.training.hardware import choose_precision

# What takes most are the steps of the larger pictures, and measuring a batch of those held out; all
# of CIFAR-10 lies in memory. Warming up makes two such steps, the second beside what the optimizer
# remembers.
CODE = """
import imagette, numpy as np
from imagette.data import Split
from imagette.models.backend import load_torch_keras
from imagette.training.outputs import measure
from imagette.training.trainer import Trainer
load_torch_keras().utils.set_random_seed(0)
recipe = imagette.Recipe.load("sprint-94").change(progressive_share=0.0)
count = recipe.batch_size
images = np.random.default_rng(0).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
rest = np.ones((60_000 - count, 32, 32, 3), np.uint8)
model = imagette.build_model(recipe.model, **recipe.model_options)
trainer = Trainer(model, Split(images, np.arange(count) % 10), recipe, None)
trainer.warm_up()
measure(trainer.network, trainer.images, trainer.labels, trainer.precision)
"""


@pytest.mark.slow
def test_the_largest_sprint_fits_in_2500_mb(peak_memory):
    """Steps and measuring; a whole training with its plots peaked 5 % higher when compared."""
    narrow = choose_precision(torch.device("cpu"), "auto") == torch.bfloat16
    # Activations of float32 take twice as much.
    assert peak_memory(CODE) < (2.5e9 if narrow else 3.2e9)


OUTLIERS = """
import torch
from imagette.training.synthetic_outliers import make_outliers
make_outliers(torch.randint(0, 256, (22_500, 32, 32, 3), dtype=torch.uint8))
"""


@pytest.mark.slow
def test_outliers_of_all_pictures_fit_in_1200_mb(peak_memory):
    assert peak_memory(OUTLIERS) < 1.2e9
