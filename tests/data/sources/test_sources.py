"""One's own pictures from elsewhere than folders and tables: archives, Hugging Face's datasets."""

import gzip
import html
import os
import sys
import tarfile
import zipfile
from pathlib import Path
from shutil import make_archive
from typing import get_args

import numpy as np
import pytest
from PIL import Image
from support.sources import not_opened, paint

from imagette import load_dataset
from imagette.cli.options import DatasetArgument
from imagette.data import open_source
from imagette.data.sources import ACCEPTED
from imagette.errors import ImagetteError

RED, BLUE = (200, 30, 0), (0, 30, 200)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("IMAGETTE_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


# The registry ----------------------------------------------------------------------------------


def test_every_kind_of_source_is_listed_wherever_they_are():
    for words in ("`digits`", "a folder (", "zip or tar", "CSV", "Parquet", "`hf:NAME`"):
        assert words in ACCEPTED
    for absent in ("nothing", "nothing.csv", "nothing.zip", "nothing.parquet"):
        with pytest.raises(ImagetteError, match=f"no dataset or folder called {absent}") as caught:
            open_source(absent)
        assert ACCEPTED in caught.value.remedy
    assert get_args(DatasetArgument)[1].help == f"{ACCEPTED}."
    assert f"{ACCEPTED}." in " ".join(load_dataset.__doc__.split())
    page = Path(__file__).parents[3] / "docs" / "reference" / "cli.md"  # made from the commands
    assert ACCEPTED in html.unescape(page.read_text(encoding="utf-8"))


def test_digits_before_they_are_read(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    found = open_source("digits")
    assert (found.name, found.source, found.count) == ("digits", "digits", 1797)
    assert found.class_names_fr[1] == "un"


def test_a_picture_is_no_dataset(tmp_path):
    not_opened(paint(tmp_path / "0.png", RED), "is not a dataset")


# Archives --------------------------------------------------------------------------------------


@pytest.fixture
def shapes(tmp_path):
    """A folder with train and test splits, inside another, as archives often have it."""
    inside = tmp_path / "outer" / "shapes"
    for split in ("train", "test"):
        paint(inside / split / "red" / "1.png", RED)
        paint(inside / split / "blue" / "1.png", BLUE)
    return inside


@pytest.mark.parametrize("kind", ["zip", "gztar"])
def test_an_archive_of_a_folder(shapes, tmp_path, cache, kind):
    archive = make_archive(tmp_path / "shapes", kind, shapes.parent)
    data = load_dataset(archive)
    assert (data.name, data.source) == ("shapes", archive)
    assert data.class_names == ("blue", "red")
    assert len(data.test) == 2
    assert data.train.images[1, 5, 5].tolist() == list(RED)
    unpacked = list((cache / "archives").iterdir())
    assert len(unpacked) == 1
    load_dataset(archive)
    assert list((cache / "archives").iterdir()) == unpacked


def test_an_archive_of_a_single_train_folder(shapes, tmp_path):
    """Its only folder is the train split, not one to go down through."""
    (shapes / "test").rename(tmp_path / "elsewhere")
    data = load_dataset(make_archive(tmp_path / "shapes", "zip", shapes))
    assert data.train.paths == ("train/blue/1.png", "train/red/1.png")


def test_what_is_wrong_with_an_archive_is_said_of_the_archive(tmp_path, monkeypatch):
    paint(tmp_path / "photos" / "1.png", RED)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IMAGETTE_CACHE_DIR", "cache-here")
    archive = make_archive(tmp_path / "photos", "zip", tmp_path / "photos")
    not_opened(archive, r"photos\.zip holds one picture, 1\.png, but no folder for each class")
    for name in ("red", "blue"):
        paint(tmp_path / "photos" / name / "1.png", RED)
    (tmp_path / "photos" / "red" / "2.png").write_bytes(b"no picture")
    data = load_dataset(make_archive(tmp_path / "more", "zip", tmp_path / "photos"))
    assert [path for path, _ in data.skipped] == ["1.png", "red/2.png"]


def test_archives_that_differ_in_pixels_alone(tmp_path, monkeypatch):
    """Files of the same names, sizes and times, as a program packs them that wants no times."""
    monkeypatch.setattr("imagette.data.decode._KEPT_FROM_IMAGES", 1)
    for place, colours in (("a", (RED, BLUE)), ("b", (BLUE, RED))):
        for number, colour in enumerate(colours):
            os.utime(paint(tmp_path / place / str(number) / "1.bmp", colour), (0, 0))
        data = load_dataset(make_archive(tmp_path / place, "gztar", tmp_path / place))
        assert data.train.images[0, 5, 5].tolist() == list(colours[0])


def test_nothing_leaves_the_folder_of_an_archive(tmp_path):
    picture = paint(tmp_path / "1.png", RED)
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as zipped:
        for name in ("a/1.png", "b/1.png", "../../escaped.png"):
            zipped.write(picture, name)
    load_dataset(tmp_path / "evil.zip")
    with tarfile.open(tmp_path / "evil.tar", "w") as tar:
        tar.add(picture, "../../escaped.png")
    not_opened(tmp_path / "evil.tar", "cannot be unpacked")
    outside = set(tmp_path.rglob("escaped.png")) - set((tmp_path / "cache").rglob("*/*/*"))
    assert not outside


def test_archives_that_cannot_be_unpacked(tmp_path, shapes, monkeypatch):
    content = Path(make_archive(tmp_path / "whole", "gztar", shapes)).read_bytes()
    for name, damaged in (
        ("none.zip", b"no archive"),
        ("cut.tar.gz", content[:-40]),
        ("zeros.tar.gz", content[:60] + bytes(20) + content[80:]),  # zlib has an error of its own
    ):
        (tmp_path / name).write_bytes(damaged)
        not_opened(tmp_path / name, f"{name} cannot be unpacked")
    plain = tmp_path / "plain.tar"
    plain.write_bytes(gzip.decompress(content))
    with tarfile.open(plain) as tar:
        third = tar.getmembers()[2].offset
    whole = plain.read_bytes()
    for cut in (whole[:third], whole[:third] + b"x" * 512 + whole[third + 512 :]):
        plain.write_bytes(cut)  # between two entries, where `tarfile` notices nothing; and in one
        not_opened(plain, "damaged, or has no end")
    archive = make_archive(tmp_path / "whole", "zip", shapes)
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Disk", (), {"free": 100}))
    error = not_opened(archive, "the disk has no room")
    assert "IMAGETTE_CACHE_DIR" in error.remedy


# Hugging Face's datasets -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def datasets():
    return pytest.importorskip("datasets")


def rows(datasets, labels: list, kind=None, images=None):
    """A split whose pictures' red is ten times their number."""
    reds = [Image.new("RGB", (40, 30), (10 * number, 0, 0)) for number in range(len(labels))]
    kind = kind or datasets.ClassLabel(names=["cat", "dog"])
    features = datasets.Features({"image": datasets.Image(), "label": kind})
    return datasets.Dataset.from_dict({"image": images or reds, "label": labels}, features=features)


def test_a_dataset_of_hugging_face(datasets, tmp_path):
    splits = {"train": rows(datasets, [1, 0, 1]), "validation": rows(datasets, [0, -1, 1])}
    datasets.DatasetDict(splits).save_to_disk(tmp_path / "pets")
    data = load_dataset(f"hf:{tmp_path / 'pets'}")
    assert (data.name, data.class_names) == ("pets", ("cat", "dog"))
    assert data.train.labels.tolist() == [1, 0, 1]
    assert data.train.images[2, 5, 5].tolist() == [20, 0, 0]
    assert data.test is None
    assert data.validation.labels.tolist() == [0, 1]  # -1 means that the class is kept secret
    assert data.validation.images[1, 5, 5].tolist() == [20, 0, 0]
    assert np.array_equal(load_dataset(data.source).train.images, data.train.images)


def test_one_with_words_for_classes(datasets, tmp_path):
    words = rows(datasets, ["pear", "apple", "pear"], datasets.Value("string"))
    words.save_to_disk(tmp_path / "fruit")
    data = load_dataset(f"hf:{tmp_path / 'fruit'}")
    assert data.class_names == ("apple", "pear")
    assert data.train.labels.tolist() == [1, 0, 1]


def test_one_whose_columns_have_other_names(datasets, tmp_path):
    """Numbers sort as numbers; a column tells the splits where there is one split."""
    words = rows(datasets, [10, 9, 10, 9], datasets.Value("int64")).rename_column("label", "kind")
    words.add_column("split", ["train", "train", "val", "val"]).save_to_disk(tmp_path / "fruit")
    data = load_dataset(f"hf:{tmp_path / 'fruit'}")
    assert data.class_names == ("9", "10")
    assert data.train.labels.tolist() == [1, 0]
    assert data.validation.images[:, 5, 5, 0].tolist() == [20, 30]


def test_one_with_gaps(datasets, tmp_path):
    """A picture that is missing is told; one without a class cannot be learned from."""
    picture, empty = Image.new("RGB", (40, 30), RED), {"bytes": b"", "path": None}
    images = [picture, None, picture, picture, empty]
    rows(datasets, [0, 1, 1, None, 1], images=images).save_to_disk(tmp_path / "gaps")
    data = load_dataset(f"hf:{tmp_path / 'gaps'}")
    assert data.train.labels.tolist() == [0, 1]
    assert data.skipped == tuple((f"train/{n}", "There is no picture.") for n in (1, 4))


def test_one_that_is_not_for_classification(datasets, tmp_path, monkeypatch):
    datasets.Dataset.from_dict({"text": ["a", "b"]}).save_to_disk(tmp_path / "words")
    not_opened(f"hf:{tmp_path / 'words'}", "has no column of images")
    several = datasets.List(datasets.ClassLabel(names=["cat", "dog"]))
    rows(datasets, [[0], [0, 1]], several).save_to_disk(tmp_path / "several")
    not_opened(f"hf:{tmp_path / 'several'}", "has no column of classes")
    # What the variable HF_HUB_OFFLINE says was read when the library was imported.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    not_opened("hf:no/such-dataset", "no/such-dataset cannot be loaded")


def test_without_the_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    assert "pip install datasets" in not_opened("hf:beans", "not installed").remedy
