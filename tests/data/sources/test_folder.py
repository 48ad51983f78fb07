"""Folders of pictures."""

import os

import pytest
from support.sources import not_opened, paint

from imagette import load_dataset
from imagette.files import make_folder
from imagette.images.open_image import to_pixels


@pytest.fixture
def shop(tmp_path):
    for number in range(6):
        paint(tmp_path / "shop" / "apple" / f"{number}.png", (200, 10 * number, 0))
        paint(tmp_path / "shop" / "pear" / "deeper" / f"{number}.JPG", (0, 200, 10 * number))
    return tmp_path / "shop"


@pytest.fixture
def outer(shop, tmp_path):
    """A folder in which the shop is called `train`."""
    (tmp_path / "outer").mkdir()
    shop.rename(tmp_path / "outer" / "train")
    return tmp_path / "outer"


def test_classes_are_folders(shop):
    data = load_dataset(shop)
    assert data.class_names == ("apple", "pear")
    assert data.name == "shop"
    assert data.test is None
    assert data.train.labels.tolist() == [0] * 6 + [1] * 6
    assert data.train.images.shape == (12, 32, 32, 3)
    assert data.train.images[3, 16, 16].tolist() == [200, 30, 0]
    assert data.train.paths[3::3] == ("apple/3.png", "pear/deeper/0.JPG", "pear/deeper/3.JPG")
    for image, path in zip(data.train.images, data.train.paths, strict=True):
        assert (to_pixels(shop / path, 32, 32) == image).all()


def test_source_loads_it_again_from_anywhere(shop, monkeypatch, tmp_path):
    monkeypatch.chdir(shop.parent)
    source = load_dataset("shop").source
    monkeypatch.chdir(tmp_path.parent)
    assert len(load_dataset(source).train) == 12


@pytest.mark.parametrize(
    ("train", "test"),
    [("Train", "testing"), ("training", "TEST"), ("training_set", "test_set")],
)
def test_splits_are_known_by_their_usual_names(outer, train, test):
    (outer / "train").rename(outer / train)
    paint(outer / test / "pear" / "x.webp", "green")
    data = load_dataset(outer)
    assert data.class_names == ("apple", "pear")
    assert len(data.train) == 12
    assert data.test.labels.tolist() == [1]
    assert data.test.paths == (f"{test}/pear/x.webp",)
    assert data.skipped == ()


def test_neighbours_of_the_splits_are_listed(outer):
    paint(outer / "test" / "pear" / "x.png", "green")
    paint(outer / "more" / "pear" / "x.png", "green")
    (outer / ".cache").mkdir()
    assert load_dataset(outer).skipped == (("more", "is neither train, validation nor test."),)


def test_two_folders_for_one_split(outer):
    (outer / "training").mkdir()
    not_opened(outer, "train and training could both be the train split")


def test_names_that_are_not_utf8(shop):
    (shop / "apple" / "0.png").rename(shop / "apple" / os.fsdecode(b"caf\xe9.png"))
    data = load_dataset(shop)
    assert data.skipped == (("apple/caf\\xe9.png", "its name is not UTF-8."),)
    assert len(data.train) == 11

    (shop / "pear").rename(shop / os.fsdecode(b"p\xeache"))
    assert "Rename it" in not_opened(shop, r"p\\xeache is not UTF-8").remedy


def test_a_folder_within_a_folder(outer):
    """As it comes out of many archives."""
    (outer / "train").rename(outer / "data")
    data = load_dataset(outer)
    assert (data.name, data.source) == ("outer", str(outer))
    assert data.class_names[0] == "apple"


def test_a_class_may_be_called_train(tmp_path):
    paint(tmp_path / "train" / "1.png", "red")
    paint(tmp_path / "ship" / "1.png", "blue")
    assert load_dataset(tmp_path).class_names == ("ship", "train")


def test_unreadable_pictures_are_left_out_and_listed(shop):
    (shop / "apple" / "broken.png").write_bytes(b"not a picture")
    for name in ("notes.txt", "more.txt", "Thumbs.db"):
        (shop / "apple" / name).write_text("not meant as one", encoding="utf-8")
    paint(shop / "loose.png", "red")
    (shop / "apple" / ".hidden.png").write_bytes(b"")
    data = load_dataset(shop)
    assert len(data.train) == 12
    *others, skipped = data.skipped
    assert others == [
        ("loose.png", "lies in no class's folder."),
        ("apple/more.txt", "is no picture, like 1 more."),
    ]
    assert skipped[0] == "apple/broken.png"
    assert skipped[1].startswith("cannot be read as a picture: ")
    assert "apple/broken.png" not in data.train.paths


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], "no dataset or folder"),
        ([".hidden.png"], "holds no class"),
        (["one/1.png"], "holds a single class"),
        (["one/1.png", "two/.hidden.png"], "No readable picture of the class two"),
        (
            ["train/a/1.png", "train/b/1.png", "test/a/1.png", "test/c/1.png"],
            "has a class c in its test split that its train split does not have",
        ),
    ],
)
def test_what_is_no_dataset_is_refused(tmp_path, files, message):
    for file in files:
        paint(tmp_path / "folder" / file, "red")
    not_opened(tmp_path / "folder", message)


def test_one_rule_names_the_classes(tmp_path):
    """Numbers are in their order, one name written in two ways is one class, and twins are told."""
    for name in ("10", "9", "1"):
        paint(tmp_path / "numbers" / name / "1.png", "red")
    assert load_dataset(tmp_path / "numbers").class_names == ("1", "9", "10")
    for name in ("caf\u00e9", "cafe\u0301", "Tea", "tea "):
        paint(tmp_path / "words" / "train" / name / "1.png", "red")
    paint(tmp_path / "words" / "test" / "cafe\u0301" / "1.png", "red")
    data = load_dataset(tmp_path / "words")
    assert data.class_names == ("Tea", "caf\u00e9", "tea")
    assert data.train.labels.tolist().count(1) == 2
    assert data.test.labels.tolist() == [1]
    assert [note.partition(":")[0] for note in data.notes] == [
        "The same name written in two ways, which is one class",
        "Classes that may be the same, as only capitals, spaces, dashes or the mark of a copy"
        " differ",
    ]


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
PAGE = b"<!DOCTYPE html><html>404 Not Found</html>"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (LFS, "is a Git LFS pointer, not a picture: run `git lfs pull`"),
        (PAGE, "is a web page, not a picture"),
        (b"\n<!-- saved --><html>", "is a web page, not a picture"),
        (b"<?xml version='1.0'?><svg/>", "is an SVG drawing, not a picture"),
        (b"%PDF-1.4", "is a PDF document, not a picture"),
        (b"\0\0\0\x20ftypisom", "is a video, not a picture"),
        (b"words", "is damaged, cut short"),
    ],
)
def test_classes_of_which_no_picture_can_be_read(tmp_path, content, reason):
    for name in ("a/0.png", "a/1.png", "b/0.png"):
        paint(tmp_path / name, "red")
    (tmp_path / "b" / "0.png").write_bytes(content)
    not_opened(tmp_path, f"only picture of the class b in .* cannot be read: b/0.png: .*{reason}")
    for name in ("a/0.png", "a/1.png"):
        (tmp_path / name).write_bytes(content)
    not_opened(tmp_path, f"None of the 3 pictures in .* can be read: a/0.png: .*{reason}")


@pytest.mark.parametrize(
    ("files", "problem", "remedy"),
    [
        ({"1.png": b"", "2.png": b""}, "holds 2 pictures, such as 1.png, but no folder", "named"),
        ({"1.png": b"", "labels.txt": b""}, "one picture, 1.png, but no folder", "named"),
        ({"a.zip": b"PK\x03\x04", "b.zip": b"PK\x03\x04"}, "a.zip is a zip file", "Unpack what"),
        ({"all.png.txt": LFS}, "all.png.txt is a Git LFS pointer", "Run `git lfs pull`"),
    ],
)
def test_what_there_is_instead_of_folders_of_classes_is_said(tmp_path, files, problem, remedy):
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    assert remedy in not_opened(tmp_path, problem).remedy


def test_links_that_are_not_followed_are_told(shop):
    (shop / "apple" / "gone.png").symlink_to(shop / "gone.png")
    (shop / "pear" / "apples").symlink_to(shop / "apple")
    (shop / "more").symlink_to(shop / "pear")
    data = load_dataset(shop)
    assert len(data.train) == 12
    assert [path for path, _ in data.skipped] == ["more", "apple/gone.png", "pear/apples"]
    assert "where there is nothing" in dict(data.skipped)["apple/gone.png"]


def test_classes_that_are_links(shop, tmp_path):
    for name in ("apple", "pear"):
        (tmp_path / "linked" / "train").mkdir(parents=True, exist_ok=True)
        (tmp_path / "linked" / "train" / name).symlink_to(shop / name)
    data = load_dataset(tmp_path / "linked")
    assert (len(data.train), data.skipped) == (12, ())


def test_a_dataset_in_a_folder_that_imagette_made(shop, tmp_path):
    make_folder(tmp_path / "runs" / "first")
    for name in ("apple", "pear"):
        (shop / name).rename(tmp_path / "runs" / name)
    data = load_dataset(tmp_path / "runs")
    assert (data.class_names, len(data.train)) == (("apple", "pear"), 12)
    assert data.skipped == (("first", "was written by Imagette."),)


@pytest.mark.parametrize("name", ["a\nb", "a\x1b[2J"])
def test_a_class_with_a_control_character_in_its_name(tmp_path, name):
    paint(tmp_path / name / "1.png", "red")
    paint(tmp_path / "c" / "1.png", "red")
    error = not_opened(tmp_path, "has a line break or another control character")
    assert name not in str(error)
