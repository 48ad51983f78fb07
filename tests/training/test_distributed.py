"""Two processes that share a training make the steps that one process makes."""

import pytest
import torch
import torch.multiprocessing as mp
from support.shared_training import CLASSIC, SPRINT, learn

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Where each number of processes left what it learned."""
    folder = tmp_path_factory.mktemp("results")
    learn(0, 1, folder)
    mp.spawn(learn, (2, folder), nprocs=2)
    return folder


@pytest.mark.parametrize("recipe", [SPRINT, CLASSIC], ids=lambda recipe: recipe.name)
def test_a_shared_step_is_that_of_one_process(recipe, results):
    """With all that concerns the whole batch: normalisation, dropout, the loss, a teacher, changes
    of the images.

    Muon's step is not linear in the gradients: it is the same only if they are averaged first.
    """
    one, two = (torch.load(results / f"{recipe.name}-{processes}.pt") for processes in (1, 2))
    assert two["loss"] == pytest.approx(one["loss"], rel=1e-5)
    for name in ("gradients", "weights"):  # running means and variances are among the weights
        for of_one, of_two in zip(one[name], two[name], strict=True):
            # Rounding decides which of two nearly equal pixels is the largest, and learns.
            assert (of_two - of_one).norm() <= 2e-3 * of_one.norm(), name
    assert two["losses"] == pytest.approx(one["losses"], rel=1e-3)
