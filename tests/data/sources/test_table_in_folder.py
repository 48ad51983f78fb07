"""Folders without folders of classes, in which a table tells the classes."""

from shutil import make_archive

import pytest
from support.sources import not_opened, paint

from imagette.data import open_source
from imagette.files import make_folder


@pytest.fixture
def folder(tmp_path):
    """Pictures of two splits by number, as competitions have them."""
    for split in ("train", "test"):
        for number in range(4):
            paint(tmp_path / "pets" / split / f"{number}.png", (60 * number, 0, 0))
    return tmp_path / "pets"


def write(folder, name, labels, header="id,label"):
    rows = [f"{number},{label}" for number, label in enumerate(labels)]
    (folder / name).write_text("\n".join([header, *rows]), encoding="utf-8")


def check_pets(found):
    assert (found.name, found.class_names) == ("pets", ("cat", "dog"))
    assert found.raw_train.labels.tolist() == [0, 1, 0, 1]
    assert found.raw_train.paths == tuple(f"train/{number}.png" for number in range(4))


def test_the_table_beside_the_pictures_is_read(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("IMAGETTE_CACHE_DIR", str(tmp_path / "cache"))
    write(folder, "train.csv", ["cat", "dog"] * 2)
    write(folder, "sample_submission.csv", ["cat"] * 4)
    found = open_source(folder)
    check_pets(found)
    assert found.source == str(folder)
    assert found.notes[0] == "There are no folders of classes; those of train.csv are taken."
    [(name, reason)] = found.skipped
    assert name == "sample_submission.csv"
    assert "single class" in reason
    check_pets(open_source(make_archive(tmp_path / "pets", "zip", folder)))


def test_tables_that_imagette_wrote_are_not_meant(folder):
    write(folder, "train.csv", ["cat", "dog"] * 2)
    make_folder(folder / "explore-pets")
    write(folder / "explore-pets", "audit.csv", ["cat", "dog"] * 2, "path,label")
    check_pets(open_source(folder))


@pytest.mark.parametrize("header", ["filename,label", "filename,cat"])
def test_a_table_of_each_split(folder, header):
    for split, labels in (("train", ["cat", "dog", "cat", "dog"]), ("test", ["dog", "cat"] * 2)):
        if header.endswith("cat"):
            labels = ["1,0" if label == "cat" else "0,1" for label in labels]
        write(folder / split, "metadata.csv", labels, header + (",dog" if "1,0" in labels else ""))
    found = open_source(folder)
    check_pets(found)
    assert found.raw_test.labels.tolist() == [1, 0, 1, 0]
    assert found.raw_test.paths[0] == "test/0.png"


def test_tables_of_which_any_could_be_meant(folder):
    write(folder, "a.csv", ["cat", "dog"] * 2)
    write(folder, "b.csv", ["dog", "cat"] * 2)
    error = not_opened(folder, r"several tables: a\.csv, b\.csv")
    assert "Name the table to use" in error.remedy


def test_a_table_that_is_of_no_use_either(folder):
    write(folder, "notes.csv", ["cat"] * 4, header="what,when")
    not_opened(folder, r"no folders of classes.* table notes\.csv in it cannot be used either")


def test_folders_of_classes_come_first(folder):
    write(folder, "labels.csv", ["cat", "dog"] * 2)
    for name in ("a", "b"):
        paint(folder / "train" / name / "1.png", "red")
    assert open_source(folder).class_names == ("a", "b")


def test_a_missing_train_picture_is_not_a_test_picture_of_that_name(folder):
    (folder / "train" / "3.png").unlink()
    write(folder, "train.csv", ["cat", "dog"] * 2)
    found = open_source(folder / "train.csv")
    assert found.raw_train.paths == tuple(f"train/{number}.png" for number in range(3))
    assert found.skipped == (("3", "(line 5) is no file that is there."),)


@pytest.mark.parametrize("stem", ["images_part_", "batch", "shard-"])
def test_folders_that_are_parts_of_one_are_no_classes(tmp_path, stem):
    for number in range(4):
        paint(tmp_path / f"{stem}{1 + number // 2}" / f"{number}.png", (60 * number, 0, 0))
    write(tmp_path, "labels.csv", ["cat", "dog"] * 2)
    assert open_source(tmp_path).class_names == ("cat", "dog")
    write(tmp_path, "labels.csv", ["cat"] * 4)
    not_opened(tmp_path, f"parts of a dataset .{stem}1, {stem}2.* labels.csv in it cannot be")


@pytest.mark.parametrize(
    ("labels", "header", "contradicts"),
    [
        ("xyxyxyxy", "id,label", True),
        ("xyxyxyxy", "id,photographer", False),
        ("ccccoooo", "id,label", False),
        ("ccddoopp", "id,label", False),  # of more classes than there are folders
    ],
)
def test_a_table_beside_folders_of_classes(tmp_path, labels, header, contradicts):
    for number in range(8):
        paint(tmp_path / ("cat", "owl")[number // 4] / f"{number}.png", (30 * number, 0, 0))
    write(tmp_path, "notes.csv", labels, header)
    if contradicts:
        error = not_opened(tmp_path, r"notes.csv lists other classes \(x, y\) than .*\(cat, owl\)")
        assert "in place of the folder" in error.remedy
    else:
        found = open_source(tmp_path)
        assert found.class_names == ("cat", "owl")
        assert "notes.csv beside them is not read" in found.notes[-1]
