"""What exploring finds, and the files it writes."""

import base64
import io
import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from PIL import Image
from support.html_pages import Page
from support.sources import paint

from imagette.data import SIZE, Dataset, Split, load_dataset, open_source
from imagette.data.explore import Copy, Exploration, channel_statistics, explore, find_duplicates
from imagette.data.explore_page import write_page

HOSTILE = '<script>alert("1")</script> & $x_1$ 名前'


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)


def dataset(images, labels, test: Split | None = None, names=("yes", "no"), paths=None, **fields):
    return Dataset("small", tuple(names), Split(images, labels, paths), test, **fields)


def explored(dataset: Dataset, out: Path) -> tuple[Exploration, Path]:
    """What exploring finds, and the page that shows it."""
    found = explore(dataset)
    return found, write_page(dataset, found, out)


def test_counts_by_class_and_split(digits):
    found = explore(digits)
    for name, split in digits.splits.items():
        for label, class_name in enumerate(digits.class_names):
            assert found.counts[name][class_name] == (split.labels == label).sum()
    assert sum(map(sum, (by_class.values() for by_class in found.counts.values()))) == 1797
    assert (found.height, found.width) == (32, 32)


def test_writes_pictures_and_one_page_that_stands_alone(tmp_path, digits):
    _, path = explored(digits, tmp_path)
    names = sorted(file.name for file in tmp_path.iterdir())
    assert names == ["classes.png", "examples.png", "index.html"]
    for file in tmp_path.glob("*.png"):
        with Image.open(file) as image:
            image.load()
            assert image.format == "PNG"
            assert min(image.size) > 300
    page = Page(path)
    assert len(page.images) == 2 + 10 * len(digits.class_names)  # the chart twice, examples
    assert all(image["src"].startswith("data:image/png;base64,") for image in page.images)
    assert all(image["alt"] for image in page.images)
    assert "link" not in page.tags
    assert not re.search(r"https?://|url\(", page.source)
    assert "Images par classe" in page.text
    assert "Pictures by class" in page.text
    assert digits.class_names_fr[4] in page.text


def test_same_data_gives_same_files(tmp_path):
    for name in ("a", "b"):
        explored(dataset(noise(4, 8, 8), np.arange(4) % 2), tmp_path / name)
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()


@pytest.mark.parametrize("at_once", [10_000, 100])
def test_channel_statistics_are_exact(at_once, monkeypatch):
    monkeypatch.setattr("imagette.data.explore._PIXELS_AT_ONCE", at_once)  # two pictures and a bit
    images = noise(60, 9, 5)
    images[..., 1] //= 3
    mean, deviation = channel_statistics(images)
    assert mean == pytest.approx(images.mean(axis=(0, 1, 2), dtype=np.float64), rel=1e-12)
    assert deviation == pytest.approx(images.std(axis=(0, 1, 2), dtype=np.float64), rel=1e-12)


def test_planted_duplicates_are_found(tmp_path):
    train = noise(20, 8, 8)
    test = 255 - train[:10]
    train[7] = train[13] = train[2]  # labels no, no, yes: they disagree
    train[4] = train[6]  # both yes
    test[3] = test[5]  # both no
    test[8] = train[0]  # yes in both splits
    test[9] = train[2]  # a fourth copy of the first group
    labels = np.arange(20) % 2
    found, page = explored(dataset(train, labels, Split(test, labels[:10])), tmp_path)
    places = {
        place: (some.groups, some.images, some.disagreeing)
        for place, some in found.duplicates.items()
    }
    assert places == {"train": (2, 3, 1), "test": (1, 1, 0), "across": (2, 2, 1)}
    copies = (Copy("train", 2, 0), Copy("train", 7, 1), Copy("train", 13, 1), Copy("test", 9, 1))
    assert copies in found.duplicate_groups
    assert len(found.duplicate_groups) == 4
    with Image.open(tmp_path / "duplicates.png") as image:
        assert image.height > 4 * 128  # one row a group
    assert "in train and in another split" in Page(page).text


def test_duplicates_name_their_files(tmp_path):
    paths = ("yes/1.png", "no/<i>2.png")
    twice = dataset(noise(1, 8, 8).repeat(2, axis=0), np.arange(2), paths=paths)
    page = Page(explored(twice, tmp_path)[1])
    assert all(path in page.text for path in paths)
    assert "i" not in page.tags


def test_duplicates_of_an_earlier_exploration_go(tmp_path):
    labels = np.arange(4) % 2
    explored(dataset(noise(1, 8, 8).repeat(4, axis=0), labels), tmp_path)
    assert (tmp_path / "duplicates.png").exists()
    explored(dataset(noise(4, 8, 8), labels), tmp_path)
    assert not (tmp_path / "duplicates.png").exists()


def test_nearly_the_same_is_no_duplicate():
    images = noise(1, 8, 8).repeat(2, axis=0)
    images[1, 3, 3, 0] ^= 1
    assert find_duplicates(dataset(images, np.array([0, 1]))) == ()


def test_hostile_names_are_escaped(tmp_path):
    names = (HOSTILE, "l" * 300, "two\nlines\x07", "$")
    skipped = (("<b>.png", "cut & damaged"),)
    hostile = dataset(noise(12, 8, 8), np.arange(12) % 4, names=names, skipped=skipped)
    hostile = replace(hostile, notes=("of <i>note",))
    page = Page(explored(replace(hostile, name="<i>x"), tmp_path)[1])
    assert page.tags.count("script") == 1  # the page's own
    assert "i" not in page.tags
    for shown in ("<i>x", HOSTILE, "<b>.png", "cut & damaged", "of <i>note"):
        assert shown in page.text
    assert any(HOSTILE in image["alt"] for image in page.images)


def test_a_thousand_classes_without_test_split(tmp_path):
    labels = np.concatenate([np.arange(999), np.arange(20)])  # the last class has no picture
    names = [f"class {number}" for number in range(1000)]
    many = dataset(noise(len(labels), 6, 10), labels, names=names)
    found, page = explored(many, tmp_path)
    assert list(found.counts) == ["train"]
    assert list(found.duplicates) == ["train"]
    page = Page(page)
    # The chart twice; of the 20 largest two each, of the 20 smallest one, and of the last none.
    assert len(page.images) == 2 + 2 * 20 + 19
    assert "Shown are the largest and the smallest classes" in page.text
    assert "class 999" in page.text
    assert "There is no test split" in page.text
    with Image.open(tmp_path / "classes.png") as image:
        assert image.height < 3000


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 200), (300, 200)])
def test_pictures_of_any_size(tmp_path, height, width):
    found, page = explored(dataset(noise(4, height, width), np.arange(4) % 2), tmp_path)
    assert (found.height, found.width) == (height, width)
    assert len(Page(page).images) == 2 + 4


def test_pictures_are_shown_as_they_are(tmp_path):
    """A sharp picture enlarged a whole number of times holds no colour of its own making."""
    colours = np.array([[255, 0, 0], [0, 0, 255]], dtype=np.uint8)
    images = colours[np.arange(64).reshape(1, 8, 8) % 2]
    explored(dataset(np.concatenate([images, 255 - images]), np.arange(2)), tmp_path)
    with Image.open(tmp_path / "examples.png") as picture:
        pixels = np.asarray(picture.convert("RGB"))
    assert (pixels == [255, 0, 0]).all(axis=2).sum() == 128 * 128 / 2


def test_pictures_are_shown_in_their_own_size_and_lead_to_their_files(tmp_path):
    folder = tmp_path / "my pictures"
    for name in ("cat/a b.png", "cat/#1.png", "dog/100%.png", "dog/é.png"):
        paint(folder / name, (9, 9, 200), size=(300, 150))
    (folder / "dog" / "notes.txt").write_text("no picture")
    found = open_source(folder)
    data = found.load(SIZE)
    page = Page(write_page(data, explore(data), tmp_path / "out", found))

    files = {(tmp_path / "out" / unquote(link)).resolve() for link in page.links}
    assert files == {folder / path for path in data.train.paths}
    shown = Image.open(io.BytesIO(base64.b64decode(page.images[-1]["src"].partition(",")[2])))
    assert shown.size == (192, 96)
    assert "dog/notes.txt: is no picture." in page.text
    assert "dog/notes.txt\u00a0: n’est pas une image." in page.text
    assert f"imagette train '{folder}'" in page.text


def test_official_cifar10(cifar10_dir):
    data = load_dataset("cifar10", cifar10_dir)
    found = explore(data)
    assert set(found.counts["train"].values()) == {5000}
    assert set(found.counts["test"].values()) == {1000}
    # The figures that CIFAR-10's users normalise with.
    assert np.divide(found.mean, 255).round(4).tolist() == [0.4914, 0.4822, 0.4465]
    assert np.divide(found.deviation, 255).round(4).tolist() == [0.2470, 0.2435, 0.2616]
    assert found.duplicate_groups == ()
