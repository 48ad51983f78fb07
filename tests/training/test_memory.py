"""How much memory a training takes, measured from outside."""

CODE = """
import sys, imagette
recipe = imagette.Recipe.load("sprint-94").change(epochs=0.04)
imagette.train("cifar10", recipe, runs_dir=sys.argv[1], data_dir=sys.argv[2])
"""


def test_the_largest_sprint_fits_in_2500_mb(tmp_path, cifar10_dir, peak_memory):
    """A few steps of each size of picture, saving and measuring: the peak of the whole training."""
    assert peak_memory(CODE, tmp_path, cifar10_dir) < 2.5e9
