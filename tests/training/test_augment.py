"""Augmentations change what they say and nothing else."""

import pytest
import torch
from torch.nn import functional

from imagette.training import augment
from imagette.training.recipe_tables import AugmentConfig

LABELS = torch.arange(50) % 10
TARGETS = functional.one_hot(LABELS, 10).float()
MARKED = torch.arange(50) % 2 == 0


@pytest.fixture
def pictures() -> torch.Tensor:
    torch.manual_seed(0)
    return torch.randint(0, 256, (50, 8, 6, 3), dtype=torch.uint8)


def test_flip_mirrors_the_marked_ones(pictures):
    flipped = augment.flip(pictures, MARKED)
    assert torch.equal(flipped[MARKED], pictures[MARKED].flip(2))
    assert torch.equal(flipped[~MARKED], pictures[~MARKED])


def test_pad_reflects_without_repeating_the_edge_by_any_margin(pictures):
    padded = augment.pad(pictures, 2)
    expected = functional.pad(pictures.permute(0, 3, 1, 2).float(), (2, 2, 2, 2), mode="reflect")
    assert torch.equal(padded.permute(0, 3, 1, 2).float(), expected)
    row = torch.tensor([1, 2, 3], dtype=torch.uint8).view(1, 1, 3, 1)
    assert augment.pad(row, 4)[0, 0, :, 0].tolist() == [1, 2, 3, 2, 1, 2, 3, 2, 1, 2, 3]


def test_random_shift_moves_each_picture_by_its_own_step(pictures):
    padded = augment.pad(pictures, 1)
    shifted = augment.random_shift(pictures, 1)
    windows = {
        (down, right): padded[:, down : down + 8, right : right + 6]
        for down in range(3)
        for right in range(3)
    }
    used = set()
    for number, picture in enumerate(shifted):
        fits = [key for key, window in windows.items() if torch.equal(window[number], picture)]
        assert len(fits) == 1
        used.update(fits)
    assert len(used) == 9


def test_cutout_covers_a_square_with_grey():
    white = torch.full((500, 32, 32, 3), 255, dtype=torch.uint8)
    cut = augment.cutout(white, 8)
    covered = (cut == 128).all(dim=3)
    assert ((cut == 255).all(dim=3) ^ covered).all()
    sizes = covered.sum(dim=(1, 2))
    assert sizes.max() == 64
    assert 16 <= sizes.min() < 64  # the square's centre may be at a corner
    assert covered.any(dim=0).all()  # and nowhere is never covered
    tall = covered.any(dim=2).sum(dim=1) * covered.any(dim=1).sum(dim=1)
    assert torch.equal(tall, sizes)  # each is one rectangle


def test_cutmix_takes_as_much_of_the_target_as_of_the_picture():
    pictures = TARGETS[:, None, None, :].repeat(1, 16, 16, 1)
    shares = set()
    for seed in range(20):
        torch.manual_seed(seed)
        mixed, blended = augment.cutmix(pictures, TARGETS)
        assert torch.allclose(mixed.mean(dim=(1, 2)), blended, atol=1e-5)
        assert set(mixed.unique().tolist()) <= {0.0, 1.0}  # cut, never blended
        shares.add(round(float(blended.max(dim=1).values.min()), 3))
    assert len(shares) > 5


def test_shrink_keeps_the_mean_and_the_side():
    small = augment.shrink(torch.full((2, 32, 32, 3), 77, dtype=torch.uint8), 20)
    assert small.shape == (2, 20, 20, 3)
    assert torch.allclose(small.float(), torch.tensor(77.0))


def a_batch(pictures) -> augment.Batch:
    return augment.Batch(pictures, LABELS, 10, mirrored=MARKED)


def test_a_batch_is_changed_as_the_recipe_says(pictures):
    assert augment.augment_batch(a_batch(pictures), AugmentConfig()).images is pictures
    config = AugmentConfig(flip="alternating", cutout=4, cutmix_prob=1.0)
    torch.manual_seed(3)
    changed = augment.augment_batch(a_batch(pictures), config)
    torch.manual_seed(3)
    cut = augment.cutout(augment.flip(pictures, MARKED), 4)
    torch.rand(())  # whether this batch is blended
    images, blended = augment.cutmix(cut, TARGETS)
    assert torch.equal(changed.images, images)
    assert torch.equal(changed.targets, blended)


def test_the_end_is_only_shifted_and_mirrored(pictures):
    config = AugmentConfig(
        random_shift=1, flip="random", trivial_augment=True, cutout=4, cutmix_prob=1.0
    )
    torch.manual_seed(3)
    changed = augment.augment_batch(a_batch(pictures), config, at_the_end=True)
    torch.manual_seed(3)
    shifted = augment.random_shift(pictures, 1)
    assert torch.equal(changed.images, augment.flip(shifted, torch.rand(50) < 0.5))
    assert changed.targets.dtype == torch.int64


def test_a_share_of_the_batches_is_blended(pictures):
    torch.manual_seed(0)
    config, batch = AugmentConfig(cutmix_prob=0.4), a_batch(pictures)
    blended = [augment.augment_batch(batch, config).targets.ndim == 2 for _ in range(200)]
    assert 60 < sum(blended) < 100
