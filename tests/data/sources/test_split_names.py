"""What people call splits."""

import pytest

from imagette.data.sources.split_names import is_split_alone, split_named


@pytest.mark.parametrize(
    ("split", "names"),
    [
        ("train", "train Train TRAINING training_set seg_train train1 trainSet Entraînement"),
        ("validation", "val valid VALIDATION images-val dev eval val_256 ValidationSet"),
        ("test", "test Testing test_set seg_test Test(1) test-00000-of-00001 asl_alphabet_test"),
        (None, "cat testimony restrain trainer validus train_test developer evaluable 0"),
    ],
)
def test_split_named(split, names):
    assert {name: split_named(name) for name in names.split()} == dict.fromkeys(
        names.split(), split
    )


@pytest.mark.parametrize("name", ["test", "Test_Images1", "validation set", "val"])
def test_names_of_splits_alone(name):
    assert is_split_alone(name)
    assert not is_split_alone(f"{name} tube")
