"""Augmentations change what they say and nothing else."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps

from imagette.training import augment


@pytest.fixture
def pictures() -> torch.Tensor:
    torch.manual_seed(0)
    return torch.randint(0, 256, (50, 8, 6, 3), dtype=torch.uint8)


@pytest.fixture
def targets() -> torch.Tensor:
    return torch.nn.functional.one_hot(torch.arange(50) % 10, 10).float()


def test_flip_mirrors_the_marked_ones(pictures):
    marked = torch.arange(50) % 2 == 0
    flipped = augment.flip(pictures, marked)
    assert torch.equal(flipped[marked], pictures[marked].flip(2))
    assert torch.equal(flipped[~marked], pictures[~marked])


def test_pad_reflects_without_repeating_the_edge(pictures):
    padded = augment.pad(pictures, 2)
    expected = torch.nn.functional.pad(
        pictures.permute(0, 3, 1, 2).float(), (2, 2, 2, 2), mode="reflect"
    )
    assert torch.equal(padded.permute(0, 3, 1, 2).float(), expected)


def test_pad_is_defined_for_any_margin():
    row = torch.tensor([1, 2, 3], dtype=torch.uint8).view(1, 1, 3, 1)
    assert augment.pad(row, 4)[0, 0, :, 0].tolist() == [1, 2, 3, 2, 1, 2, 3, 2, 1, 2, 3]


def test_translate_shifts_each_picture_by_its_own_step(pictures):
    padded = augment.pad(pictures, 1)
    shifted = augment.translate(pictures, 1)
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


def test_cutout_covers_a_square_with_grey(pictures):
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


def test_mixup_blends_pictures_and_targets_alike(pictures, targets):
    mixed, blended = augment.mixup(pictures, targets, 0.5)
    assert torch.allclose(blended.sum(dim=1), torch.ones(50))
    one_hot_pictures = targets[:, None, None, :].repeat(1, 2, 2, 1)
    torch.manual_seed(3)
    mixed, blended = augment.mixup(one_hot_pictures, targets, 0.5)
    assert torch.allclose(mixed[:, 0, 0], blended)
    assert 0 < blended.max(dim=1).values.min() < 1


def test_cutmix_takes_as_much_of_the_target_as_of_the_picture(targets):
    pictures = targets[:, None, None, :].repeat(1, 16, 16, 1)
    shares = set()
    for seed in range(20):
        torch.manual_seed(seed)
        mixed, blended = augment.cutmix(pictures, targets, 1.0)
        assert torch.allclose(mixed.mean(dim=(1, 2)), blended, atol=1e-5)
        assert set(mixed.unique().tolist()) <= {0.0, 1.0}  # cut, never blended
        shares.add(round(float(blended.max(dim=1).values.min()), 3))
    assert len(shares) > 5


def test_shrink_keeps_the_mean_and_the_side():
    small = augment.shrink(torch.full((2, 32, 32, 3), 77, dtype=torch.uint8), 20)
    assert small.shape == (2, 20, 20, 3)
    assert torch.allclose(small.float(), torch.tensor(77.0))


def scenes(count: int = 20, height: int = 32, width: int = 40) -> torch.Tensor:
    """Smooth shapes with some noise, each of other brightness and contrast."""
    torch.manual_seed(1)
    coarse = torch.rand(count, 3, 5, 5)
    smooth = torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic")
    levels = torch.rand(count, 3, 1, 1) * 100 + smooth * torch.rand(count, 1, 1, 1) * 200
    noisy = levels + torch.randn(count, 3, height, width) * 6
    return noisy.clamp(0, 255).byte().permute(0, 2, 3, 1).contiguous()


def sampled(image: Image.Image, *affine: float) -> Image.Image:
    return image.transform(
        image.size, Image.Transform.AFFINE, affine, Image.Resampling.NEAREST, fillcolor=(128,) * 3
    )


PILLOW: dict[str, Callable[[Image.Image, float], Image.Image]] = {
    "identity": lambda image, _: image,
    "autocontrast": lambda image, _: ImageOps.autocontrast(image),
    "equalize": lambda image, _: ImageOps.equalize(image),
    "brightness": lambda image, factor: ImageEnhance.Brightness(image).enhance(factor),
    "contrast": lambda image, factor: ImageEnhance.Contrast(image).enhance(factor),
    "colour": lambda image, factor: ImageEnhance.Color(image).enhance(factor),
    "sharpness": lambda image, factor: ImageEnhance.Sharpness(image).enhance(factor),
    "posterize": lambda image, bits: ImageOps.posterize(image, round(bits)),
    "solarize": lambda image, threshold: ImageOps.solarize(image, threshold),
    "rotate": lambda image, degrees: image.rotate(degrees, fillcolor=(128,) * 3),
    "shear-x": lambda image, slope: sampled(image, 1, slope, 0, 0, 1, 0),
    "shear-y": lambda image, slope: sampled(image, 1, 0, 0, slope, 1, 0),
    "translate-x": lambda image, share: sampled(image, 1, 0, round(share * 40), 0, 1, 0),
    "translate-y": lambda image, share: sampled(image, 1, 0, 0, 0, 1, round(share * 32)),
}


def everywhere(name: str, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The pictures changed with strengths from the lowest to the highest, and those."""
    change, low, high = augment.OPERATIONS[name]
    strengths = torch.linspace(low, high, len(pictures)).view(-1, 1, 1, 1)
    return change(pictures, strengths), strengths.flatten()


@pytest.mark.parametrize("name", augment.OPERATIONS)
def test_operations_do_what_pillow_does(name):
    given = scenes()
    changed, strengths = everywhere(name, given)
    assert (changed.dtype, changed.shape) == (torch.uint8, given.shape)
    assert torch.equal(given, scenes())  # left as they were
    assert name == "identity" or not torch.equal(changed, given)
    for before, after, strength in zip(given, changed, strengths, strict=True):
        expected = np.array(PILLOW[name](Image.fromarray(before.numpy()), float(strength)))
        difference = np.abs(expected.astype(int) - after.numpy())
        if name in ("rotate", "shear-x", "shear-y"):
            # Halfway between two pixels, either may be the nearest.
            assert (difference > 0).any(axis=2).mean() < 0.03
        else:
            assert difference.max() <= 2
            assert difference.mean() < 0.3


@pytest.mark.parametrize("name", augment.OPERATIONS)
def test_operations_take_any_size_and_keep_grey_grey(name):
    for size in ((1, 1), (2, 3), (8, 8), (33, 20)):
        given = torch.randint(0, 256, (6, *size, 1), dtype=torch.uint8).repeat(1, 1, 1, 3)
        changed, _ = everywhere(name, given)
        assert (changed.dtype, changed.shape) == (torch.uint8, given.shape)
        assert (changed == changed[..., :1]).all()


@pytest.mark.parametrize("name", ["autocontrast", "equalize"])
def test_a_single_level_is_left_alone(name):
    plain = torch.full((2, 32, 32, 3), 77, dtype=torch.uint8)
    assert torch.equal(everywhere(name, plain)[0], plain)


def test_every_operation_is_drawn_as_often_and_with_every_strength(monkeypatch):
    drawn = {}

    def spy(name):
        def change(pictures, strengths):
            drawn[name] = strengths.flatten()
            return pictures

        return change

    spies = {name: (spy(name), *row[1:]) for name, row in augment.OPERATIONS.items()}
    monkeypatch.setattr(augment, "OPERATIONS", spies)
    torch.manual_seed(0)
    augment.apply_random_operations(torch.zeros(14_000, 1, 1, 3, dtype=torch.uint8), 1)
    assert set(drawn) == set(PILLOW)
    for name, (_, low, high) in spies.items():
        assert 850 < len(drawn[name]) < 1150
        assert low <= drawn[name].min() <= low + (high - low) / 20
        assert high - (high - low) / 20 <= drawn[name].max() <= high


def test_random_operations_come_from_pytorchs_generator():
    given = scenes(200)
    results = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        results.append(augment.apply_random_operations(given, 2))
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])


def test_random_operations_change_some_pictures_and_more_change_more():
    given = scenes(400)
    once, thrice = (augment.apply_random_operations(given, count) for count in (1, 3))
    assert (once.dtype, once.shape) == (torch.uint8, given.shape)
    same, still = ((one == given).flatten(1).all(1).float().mean() for one in (once, thrice))
    assert 0.02 < same < 0.3  # one operation leaves all as it is, some strengths nearly do
    assert still < same
    assert torch.equal(augment.apply_random_operations(given, 0), given)


def test_random_operations_leave_pictures_in_their_order(monkeypatch):
    leave = augment.OPERATIONS["identity"]
    monkeypatch.setattr(augment, "OPERATIONS", {"one": leave, "other": leave})
    given = scenes(100)
    assert torch.equal(augment.apply_random_operations(given, 2), given)


def test_random_operations_take_one_picture():
    given = scenes(1)
    for _ in range(30):
        assert augment.apply_random_operations(given, 2).shape == given.shape
