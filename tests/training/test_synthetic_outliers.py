"""Pictures of nothing, made of pictures of something."""

from itertools import product

import pytest
import torch

from imagette.training import synthetic_outliers
from imagette.training.synthetic_outliers import KINDS, make_outliers


def pictures(count, height=32, width=32):
    """Smooth ones, each of its own, as real ones are."""
    torch.manual_seed(4)
    small = torch.rand(count, 3, 5, 5) * 255
    large = torch.nn.functional.interpolate(small, size=(height, width), mode="bilinear")
    return large.permute(0, 2, 3, 1).to(torch.uint8)


def test_each_kind_is_of_the_same_size_and_shows_something_else(subtests):
    for make, size, count in product(
        KINDS, [(32, 32), (28, 28), (48, 64), (96, 40), (8, 12), (224, 224)], [1, 7]
    ):
        with subtests.test(f"{make.__name__}, {size}, {count}"):
            given = pictures(count, *size)
            untouched = given.clone()
            made = make(given)
            assert made.shape == given.shape
            assert made.dtype == torch.uint8
            assert torch.equal(given, untouched)
            if count > 1:
                changed = (made.float() - given.float()).abs().mean((1, 2, 3))
                assert (changed > 1).all()
                # None is of one colour only, and no two are the same.
                assert (made.float().std((1, 2)).amax(1) > 0.5).all()
                assert len(torch.unique(made.flatten(1), dim=0)) == count


def test_no_picture_is_too_small():
    for make, size in product(KINDS, [(1, 1), (3, 2), (7, 90)]):
        assert make(pictures(4, *size)).shape == (4, *size, 3), make


def test_large_ones_are_made_a_few_at_a_time(monkeypatch):
    monkeypatch.setattr(synthetic_outliers, "_VALUES", 3 * 64 * 64 * 5)
    counts = []
    noting = (lambda some: counts.append(len(some)) or some,)
    monkeypatch.setattr(synthetic_outliers, "KINDS", noting)
    given = pictures(12, 64, 64)
    made = make_outliers(given)
    assert counts == [5, 5, 2]
    assert torch.equal(made.flatten(1).sort(0).values, given.flatten(1).sort(0).values)


def test_there_are_as_many_as_pictures_and_of_every_kind(monkeypatch):
    asked = {}

    def noting(kind):
        def make(some):
            asked[kind.__name__] = len(some)
            return kind(some)

        return make

    monkeypatch.setattr(synthetic_outliers, "KINDS", tuple(map(noting, KINDS)))
    assert make_outliers(pictures(83)).shape == (83, 32, 32, 3)
    assert len(asked) == len(KINDS)
    assert max(asked.values()) - min(asked.values()) <= 1


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_few_pictures_give_a_few(count):
    assert make_outliers(pictures(8)[:count]).shape == (count, 32, 32, 3)


def test_tiles_are_those_of_the_picture_in_another_order():
    given = pictures(3)
    made = synthetic_outliers.shuffle_tiles(given)
    assert torch.equal(made.flatten(1).sort(1).values, given.flatten(1).sort(1).values)
