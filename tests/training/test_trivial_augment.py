"""Each operation of TrivialAugment does what Pillow's does, and all are drawn alike."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps

from imagette.training import trivial_augment


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
    change, low, high = trivial_augment.OPERATIONS[name]
    strengths = torch.linspace(low, high, len(pictures)).view(-1, 1, 1, 1)
    return change(pictures, strengths), strengths.flatten()


@pytest.mark.parametrize("name", trivial_augment.OPERATIONS)
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


@pytest.mark.parametrize("name", trivial_augment.OPERATIONS)
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

    spies = {name: (spy(name), *row[1:]) for name, row in trivial_augment.OPERATIONS.items()}
    monkeypatch.setattr(trivial_augment, "OPERATIONS", spies)
    torch.manual_seed(0)
    trivial_augment.trivial_augment(torch.zeros(14_000, 1, 1, 3, dtype=torch.uint8))
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
        results.append(trivial_augment.trivial_augment(given))
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])


def test_random_operations_change_most_pictures_and_take_a_single_one():
    given = scenes(400)
    changed = trivial_augment.trivial_augment(given)
    assert (changed.dtype, changed.shape) == (torch.uint8, given.shape)
    same = (changed == given).flatten(1).all(1).float().mean()
    assert 0.02 < same < 0.3  # one operation leaves all as it is, some strengths nearly do
    for _ in range(30):
        assert trivial_augment.trivial_augment(given[:1]).shape == (1, *given.shape[1:])


def test_random_operations_leave_pictures_in_their_order(monkeypatch):
    leave = trivial_augment.OPERATIONS["identity"]
    monkeypatch.setattr(trivial_augment, "OPERATIONS", {"one": leave, "other": leave})
    given = scenes(100)
    assert torch.equal(trivial_augment.trivial_augment(given), given)
