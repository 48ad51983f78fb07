"""The small pictures of each class that a bundle carries."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from imagette.data import Dataset, open_source
from imagette.data.samples import MOST_BYTES, choose_samples, count_classes

HOME = "Rue des Lilas"


def photograph(path, seed, size=(640, 480), turned=False):
    """A JPEG with what a camera may write into one: a comment, where it was, who took it."""
    exif = Image.Exif()
    exif[0x010E], exif[0x013B] = HOME, "Ada"
    exif[0x0112] = 6 if turned else 1
    exif.get_ifd(0x8825)[2] = (48.0, 51.0, 30.0)
    pixels = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).resize(size).save(
        path, "JPEG", exif=exif, comment=HOME, xmp=b"<x:xmpmeta>Ada</x:xmpmeta>"
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "streets"
    for split, count in (("train", 9), ("test", 7)):
        for place, name in enumerate(("day", "night")):
            for number in range(count):
                path = folder / split / name / f"{number}.jpg"
                photograph(path, number + 100 * place + 1000 * len(split), turned=number % 2 == 1)
    return folder


def opened(text):
    return Image.open(io.BytesIO(base64.b64decode(text)))


def test_they_are_held_out_small_upright_and_hold_nothing_but_pixels(folder):
    found = open_source(folder)
    dataset = found.load(32)
    samples = choose_samples(found, dataset.splits)
    assert samples.split == "test"
    assert list(map(len, samples.images)) == [6, 6]
    shapes = set()
    for text in (one for each in samples.images for one in each):
        image = opened(text)
        shapes.add(image.size)
        assert not image.getexif()
        assert not image.info.keys() - {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
        content = base64.b64decode(text)
        assert HOME.encode() not in content
        assert b"Ada" not in content
    assert shapes == {(160, 120), (120, 160)}  # in their own proportions
    assert choose_samples(found, dataset.splits) == samples
    # Each is one of the test pictures, at the network's size, of its class.
    for label, texts in enumerate(samples.images):
        own = dataset.test.images[dataset.test.labels == label].astype(int)
        for text in texts:
            small = np.asarray(opened(text).resize((32, 32))).astype(int)
            assert np.abs(own - small).mean(axis=(1, 2, 3)).min() < 8


def test_without_a_test_split_they_are_from_the_validation_split_or_else_learned(folder):
    found = open_source(folder)
    dataset = found.load(32)
    learned = {"train": dataset.train}
    assert choose_samples(found, learned).split == "train"
    assert choose_samples(found, learned | {"validation": dataset.test}).split == "validation"
    assert count_classes(dataset.splits, 2) == {"train": (9, 9), "test": (7, 7)}


def test_what_has_gone_meanwhile_is_left_out(folder, tmp_path):
    for name in ("day", "night"):
        for number in range(3):
            photograph(tmp_path / name / f"{number}.jpg", number)
    found = open_source(tmp_path)
    splits = found.load(32).splits
    (tmp_path / "day" / "1.jpg").unlink()
    assert list(map(len, choose_samples(found, splits).images)) == [2, 3]


@pytest.mark.parametrize(("classes", "each"), [(2, 6), (100, 3), (1000, 1)])
def test_many_classes_have_fewer_and_smaller_ones(classes, each):
    """Pictures of noise, which are as large as files can be."""
    pixels = np.random.default_rng(0).integers(0, 256, (2 * classes, 48, 48, 3), np.uint8)
    found = Dataset.from_arrays(pixels, np.arange(2 * classes) % classes)
    images = choose_samples(found, found.splits).images
    assert {len(one) for one in images} <= {min(each, 2), 0}
    size = sum(len(base64.b64decode(one)) for each in images for one in each)
    assert size <= MOST_BYTES
