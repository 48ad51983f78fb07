"""Which folders are splits, and which are classes."""

import pytest
from support.sources import not_opened, paint

from imagette.data import load_dataset


def lay_out(root, *folders):
    """In each folder one picture, or as many as `*3` at its end says."""
    for number, folder in enumerate(folders):
        name, _, times = folder.partition("*")
        for one in range(int(times or 1)):
            paint(root / name / f"{one}.png", (number, one, 99))
    return root


def counts(data):
    return {name: len(split) for name, split in data.splits.items()}


@pytest.mark.parametrize(
    "folders",
    [
        ("train/a*2", "train/b", "val/a", "test/a", "test/b"),
        ("seg_train/seg_train/a*2", "seg_train/seg_train/b", "dev/dev/a", "seg_test/seg_test/a*2"),
        ("training_set/training_set/a*2", "training_set/training_set/b", "Valid/b", "test_set/a*2"),
        ("x/data/TRAIN/a*2", "x/data/TRAIN/b", "x/data/eval/a", "x/data/Testing/b*2"),
        ("a/train*2", "b/train", "a/val", "a/test*2"),
        ("x/Train Data/a*2", "x/Train Data/b", "x/Validation Data/a", "x/Test Data/a*2"),
    ],
)  # fmt: skip
def test_splits_are_understood(tmp_path, folders):
    if folders[0].startswith("a/"):
        folders += ("b/validation",)  # each class has to have its own splits
    data = load_dataset(lay_out(tmp_path, *folders))
    assert data.class_names == ("a", "b")
    assert len(data.train) == 3
    assert len(data.validation) == 1 + folders[0].startswith("a/")
    assert len(data.test) == 2
    assert data.skipped == ()


def test_given_validation_without_a_test_split(tmp_path):
    data = load_dataset(lay_out(tmp_path, "train/a*2", "train/b*2", "valid/a", "valid/b"))
    assert counts(data) == {"train": 4, "validation": 2}
    assert data.validation.paths == ("valid/a/0.png", "valid/b/0.png")


@pytest.mark.parametrize(
    ("folders", "problem"),
    [
        (("val/a", "val/b", "test/a", "test/b"), "look like splits .* none of them is called tr"),
        (("fold1/a", "fold1/b", "fold2/a", "fold2/b"), "the same folders in them .a, b.*fold1"),
        (("part/a", "part/b", "test/a", "test/b"), "look like splits"),
        (("train/a", "train/b", "car"), "train could be a split or a class"),
        (("train_a/a", "train_a/b", "train_b/a", "test/a"), "could both be the train split"),
        (("train*2", "test1"), "lie in no folders of classes"),
        (("train*2", "test*2", "more"), "lie in no folders of classes"),
        (("cats", "dogs", "test"), "a folder test beside cats, dogs"),
        (("cats", "dogs", "validation/cats", "validation/dogs"), "a folder validation beside cats"),
        (("cats", "dogs", "Test_Images1"), "a folder Test_Images1 beside cats, dogs"),
        (("yes", "no", "tumours/yes", "tumours/no"), "holds no, yes twice: .* once in tumours"),
        (("a/x/mug", "a/x/pen", "web/x/mug", "web/x/pen"), "mug, pen.*: a, web"),
        (("x/train/a", "x/train/b", "x/val/a", "x/val/b", "runs"), "x has splits .*own .a, b"),
        (("x/train/a", "x/train/b", "x/test/a", "x/test/b", "y/train/a"), "x has splits"),
        (("images", "masks"), "images, masks in .* named like pictures and their masks"),
        (("train/images", "train/annotations/x", "val/images"), "annotations, images in"),
    ],
)  # fmt: skip
def test_what_looks_like_splits_and_is_not_understood_is_asked(tmp_path, folders, problem):
    not_opened(lay_out(tmp_path, *folders), problem)


def test_classes_that_the_names_of_files_tell_are_named(tmp_path):
    for name in ("cat.0", "cat.1", "dog.0", "dog.1"):
        paint(tmp_path / "train" / f"{name}.png", "red")
    paint(tmp_path / "test1" / "1.png", "red")
    error = not_opened(tmp_path, "By their names they show cat, dog")
    assert "train/<class>/pictures" in error.remedy


@pytest.mark.parametrize(
    "folders",
    [
        ("a/2024-01-01", "a/2024-01-02", "b/2024-01-01", "b/2024-01-02"),
        ("a/left", "a/x", "a/y", "b/left", "b/z"),
        ("a", "b"),
        ("freight train/1", "passenger train/1", "tram/2"),
        ("test tube", "flask"),
        ("train*2", "ship"),
        ("valid", "invalid"),
        ("a/other", "a/x", "other"),
    ],
)
def test_classes_stay_classes(tmp_path, folders):
    data = load_dataset(lay_out(tmp_path, *folders))
    assert data.class_names == tuple(
        sorted({folder.split("/")[0].split("*")[0] for folder in folders})
    )
    assert counts(data) == {"train": sum(int((folder + "*1").split("*")[1]) for folder in folders)}


@pytest.mark.parametrize("test", ["test*3", "test/unknown*3", "test/test*3", "test1*3"])
def test_a_test_split_without_labels_is_no_obstacle(tmp_path, test):
    data = load_dataset(lay_out(tmp_path, "train/a", "train/b", test))
    assert counts(data) == {"train": 2}
    [(path, reason)] = data.skipped
    assert path == test.split("/")[0].split("*")[0]
    assert f"imagette predict {tmp_path / path} --model BUNDLE" in reason


def test_a_class_that_only_the_test_split_has(tmp_path):
    not_opened(
        lay_out(tmp_path, "train/a", "train/b", "test/a", "test/zzz"), "class zzz in its test split"
    )


@pytest.mark.parametrize("around", ["", "data/"])
def test_folders_of_texts_are_no_classes(tmp_path, around):
    lay_out(tmp_path, f"{around}images/a", f"{around}images/b")
    for text in ("meta/train.txt", "Annotations/a/1.xml"):
        (tmp_path / around / text).parent.mkdir(parents=True)
        (tmp_path / around / text).write_text("a/0\n", encoding="utf-8")
    data = load_dataset(tmp_path)
    assert data.class_names == ("a", "b")
    assert data.skipped == (("Annotations", "holds no picture."), ("meta", "holds no picture."))


def test_pictures_in_another_format_are_missed_in_their_class(tmp_path):
    (lay_out(tmp_path, "a", "b") / "c").mkdir()
    (tmp_path / "c" / "1.nef").write_bytes(b"MM\0*")
    not_opened(tmp_path, "No readable picture of the class c")


def test_what_lies_further_down_is_told(tmp_path):
    data = load_dataset(lay_out(tmp_path, "animals/cat", "animals/dog", "vehicles/car"))
    [note] = data.notes
    assert "animals/cat are of the class animals" in note
