"""Near duplicates: what is one, and what is not."""

import io

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from imagette.data import load_dataset
from imagette.data.near_duplicates import find_near_duplicates


def scenes(count: int, side: int = 64, seed: int = 0) -> np.ndarray:
    """Pictures with coarse and fine shapes, no two alike."""
    random = np.random.default_rng(seed)
    images = []
    for _ in range(count):
        total = np.zeros((side, side, 3))
        for cells, strength in ((3, 1.0), (7, 0.7), (14, 0.5)):
            values = random.integers(0, 256, (cells, cells, 3), dtype=np.uint8)
            large = Image.fromarray(values).resize((side, side), Image.Resampling.BICUBIC)
            total += strength * np.asarray(large)
        images.append((total / 2.2).astype(np.uint8))
    return np.stack(images)


def squeezed(images, side: int = 32) -> np.ndarray:
    images = [
        image if isinstance(image, Image.Image) else Image.fromarray(image) for image in images
    ]
    return np.stack([image.resize((side, side), Image.Resampling.BICUBIC) for image in images])


def through_jpeg(image: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=60)
    return Image.open(buffer)


@pytest.mark.parametrize(
    "change",
    [
        lambda image: image,
        lambda image: ImageEnhance.Brightness(image).enhance(1.25),
        lambda image: ImageEnhance.Contrast(image).enhance(0.7),
        lambda image: image.crop((4, 2, 64, 62)),  # an offset, and slightly larger
        lambda image: ImageEnhance.Color(image).enhance(0.6),
        through_jpeg,
    ],
    ids=["same", "brighter", "paler", "cropped", "faded", "jpeg"],
)
def test_changed_pictures_are_found(change):
    originals = scenes(30)
    changed = [change(Image.fromarray(image)) for image in originals[[3, 17, 25]]]
    pairs = find_near_duplicates(squeezed([*changed, *scenes(20, seed=9)]), squeezed(originals))
    assert {(pair.position, pair.other) for pair in pairs} == {(0, 3), (1, 17), (2, 25)}
    similarity = [pair.similarity for pair in pairs]
    assert similarity == sorted(similarity, reverse=True)
    assert all(0.85 <= one <= 1 + 1e-5 for one in similarity)


def test_the_same_sky_over_the_same_sea_is_no_duplicate():
    """Only a shade from top to bottom in common, as two photographs of ships have."""
    random = np.random.default_rng(0)
    shade = np.linspace(230, 40, 32)[:, np.newaxis, np.newaxis]
    ships = np.broadcast_to(shade, (2, 32, 32, 3)).copy()
    ships[0, 14:18, 4:12] -= 60
    ships[1, 15:17, 18:30] += 50
    ships = (ships + random.normal(0, 4, ships.shape)).clip(0, 255).astype(np.uint8)
    assert np.corrcoef(ships[0].ravel(), ships[1].ravel())[0, 1] > 0.95
    assert find_near_duplicates(ships[:1], ships[1:]) == []


@pytest.mark.parametrize(("side", "at_once"), [(8, 500), (20, 500), (32, 4), (48, 500)])
def test_pictures_of_any_size_and_more_than_are_compared_at_once(side, at_once, monkeypatch):
    monkeypatch.setattr("imagette.data.near_duplicates._AT_ONCE", at_once)
    images = squeezed(scenes(11), side)
    pairs = find_near_duplicates(images, images[::-1])
    assert {(pair.position, pair.other) for pair in pairs} == {(n, 10 - n) for n in range(11)}


def test_plain_pictures_and_few_others():
    plain = np.full((3, 32, 32, 3), 90, np.uint8)
    assert find_near_duplicates(plain, plain[:1]) == []


def test_cifar10_has_some(cifar10_dir):
    """Of the first test file against the first 5,000 training pictures; all have the same label."""
    data = load_dataset("cifar10", cifar10_dir)
    test, train = (split.take(np.arange(5000)) for split in (data.test, data.train))
    pairs = find_near_duplicates(test.images, train.images)
    assert len(pairs) >= 5
    assert all(test.labels[pair.position] == train.labels[pair.other] for pair in pairs)
