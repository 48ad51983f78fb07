"""Parquet files, as the Hugging Face Hub keeps its datasets."""

import json

import numpy as np
import pyarrow
import pytest
from PIL import Image
from pyarrow import parquet
from support.images import written
from support.sources import not_opened, paint

from imagette import load_dataset
from imagette.data import open_source

NAMES = ["cat", "dog"]


def png(red: int) -> bytes:
    return written(Image.new("RGB", (40, 30), (red, 0, 0)), "PNG")


def write(path, labels, images=None, names=NAMES, column="image", group=1000):
    """A file as the library `datasets` writes one; the red of an image is its row."""
    if images is None:
        images = [png(row) for row in range(len(labels))]
    rows = [{"bytes": content, "path": "a.png"} for content in images]
    table = pyarrow.table({column: rows, "label": labels})
    if names:
        label = {"_type": "ClassLabel", "names": names}
        told = {"info": {"features": {column: {"_type": "Image"}, "label": label}}}
        table = table.replace_schema_metadata({"huggingface": json.dumps(told)})
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(table, path, row_group_size=group)
    return path


@pytest.mark.parametrize("inside", [".", "data"])
def test_a_folder_of_files_by_their_names(tmp_path, inside):
    folder = tmp_path / "pets"
    files = {"train-00000-of-00002": [1, 0, 1], "train-00001-of-00002": [0, -1, None]}
    for name, labels in (
        files | {"test-00000-of-00001": [0, 1], "validation": [0], "other": [0]}
    ).items():
        write(folder / inside / f"{name}.parquet", labels, column="img")
    data = load_dataset(folder)
    assert (data.name, data.source, data.class_names) == ("pets", str(folder), ("cat", "dog"))
    assert data.train.labels.tolist() == [1, 0, 1, 0]  # -1 and nothing: its class is kept secret
    assert data.train.images[:, 5, 5, 0].tolist() == [0, 1, 2, 0]
    assert data.test.labels.tolist() == [0, 1]
    assert data.validation.labels.tolist() == [0]
    assert [reason for _, reason in data.skipped] == ["is neither train, validation nor test."]
    assert data.train.paths[0].endswith("train-00000-of-00002.parquet/0")


@pytest.mark.parametrize("around", [".", "default", "data"])
def test_folders_of_splits(tmp_path, around):
    """As the Hub converts datasets, and as Spark writes them."""
    write(tmp_path / around / "train" / "0000.parquet", [1, 0, 1])
    write(tmp_path / around / "test" / "0000.parquet", [0, 1])
    (tmp_path / around / "._train.parquet").write_bytes(b"")
    data = load_dataset(tmp_path)
    assert (data.train.labels.tolist(), data.test.labels.tolist()) == ([1, 0, 1], [0, 1])


def test_a_parquet_file_beside_folders_of_classes(tmp_path):
    for name in ("train/a", "train/b"):
        paint(tmp_path / name / "1.png", "red")
    write(tmp_path / "index.parquet", [0, 1])
    assert load_dataset(tmp_path).class_names == ("a", "b")


def test_a_test_split_without_labels(tmp_path):
    """As competitions have it: nothing to measure with, but enough to learn from."""
    write(tmp_path / "train.parquet", [1, 0])
    write(tmp_path / "valid-0.parquet", [1])
    write(tmp_path / "test.parquet", [-1, None])
    data = load_dataset(tmp_path)
    assert (data.test, data.validation.labels.tolist()) == (None, [1])
    assert data.skipped == (("the test split", "no picture in it has a class that is learned."),)


def test_texts_or_numbers_for_classes_and_plain_bytes(tmp_path):
    words = pyarrow.table({"class": ["pear", "apple", None], "photo": [png(3), png(4), png(5)]})
    parquet.write_table(words, tmp_path / "fruit.parquet")
    data = load_dataset(tmp_path / "fruit.parquet")
    assert (data.name, data.class_names) == ("fruit", ("apple", "pear"))
    assert data.train.images[:, 5, 5, 0].tolist() == [3, 4]
    for numbers in ([10, 9, 10], [10.0, 9.0, None]):
        write(tmp_path / "numbers.parquet", numbers, names=None)
        assert load_dataset(tmp_path / "numbers.parquet").class_names == ("9", "10")


def test_columns_are_understood_as_in_other_tables(tmp_path):
    """The class by its usual name or, without, by what stands there; the split by a column."""
    columns = {
        "thumbnail": [png(9)] * 5,
        "Image Path": [png(row) for row in range(5)],
        "number": list(range(5)),
        "kind": ["pear", "apple", "pear", "apple", "pear"],
        "is_valid": [False, False, False, True, True],
    }
    parquet.write_table(pyarrow.table(columns), tmp_path / "fruit.parquet")
    data = load_dataset(tmp_path / "fruit.parquet")
    assert data.class_names == ("apple", "pear")
    assert data.train.images[:, 5, 5, 0].tolist() == [0, 1, 2]
    assert data.validation.labels.tolist() == [0, 1]
    assert data.notes == ("The column kind is taken for the classes.",)
    parquet.write_table(
        pyarrow.table(columns | {"sort": columns["kind"]}), tmp_path / "two.parquet"
    )
    not_opened(tmp_path / "two.parquet", "could tell the classes: kind, sort")


def test_rows_are_read_in_any_order_and_few_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr("imagette.data.sources.parquet._KEPT_BYTES", 0)
    monkeypatch.setattr("imagette.data.sources.parquet._KEPT_ROWS", 20)
    file = write(tmp_path / "many.parquet", [row % 2 for row in range(250)], group=120)
    images = open_source(file).raw_train.images
    for row in [249, 0, 130, 7, *np.random.default_rng(0).integers(0, 250, 40), 119, 120]:
        assert images[row]() == png(row)
        assert len(images[row].func.__self__._waiting._images) <= 20
    assert load_dataset(file).train.images[:, 5, 5, 0].tolist() == list(range(250))


@pytest.mark.parametrize(("step", "kept"), [(1, {"BYTES": 0}), (9, {"ROWS": 0})])
def test_threads_far_apart_read_a_file_once(tmp_path, monkeypatch, step, kept):
    """One thread is slow at row 0 alone, and has the rows beside it still to read after that."""
    for name, value in kept.items():
        monkeypatch.setattr(f"imagette.data.sources.parquet._KEPT_{name}", value)
    images = open_source(write(tmp_path / "many.parquet", [0, 1] * 200)).raw_train.images
    table, begun = images[0].func.__self__._parquet, []
    read = table.iter_batches
    monkeypatch.setattr(table, "iter_batches", lambda *args: begun.append(1) or read(*args))
    late = [step, 2 * step, 3 * step]
    for row in [0, *range(4 * step, 400, step), *late]:
        assert images[row]() == png(row)
    assert len(begun) == 1


def test_what_cannot_be_read_is_left_out(tmp_path):
    images = [png(0), b"no picture", None, png(3)]
    data = load_dataset(write(tmp_path / "gaps.parquet", [0, 1, 1, 1], images))
    assert data.train.labels.tolist() == [0, 1]
    (damaged, reason), empty = data.skipped
    assert (damaged, "cannot be read as a picture" in reason) == ("gaps.parquet/1", True)
    assert empty == ("gaps.parquet/2", "There is no picture.")


def test_a_damaged_column_of_images_is_told_of_each(tmp_path):
    file = write(tmp_path / "damaged.parquet", [0, 1] * 20)
    content = bytearray(file.read_bytes())
    content[40:400] = bytes(360)
    file.write_bytes(content)
    not_opened(
        file, r"None of the 40 pictures in .* can be read: damaged\.parquet/0: cannot be read \("
    )


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"image": [b"x"], "text": ["x"]}, "has no column of classes"),
        ({"label": [1], "image": ["x.png"]}, "has no column of images"),
        ({"label": [1], "image": [{"bytes": "/etc/x.png"}]}, "has no column of images"),
    ],
)
def test_what_is_no_table_of_images(tmp_path, columns, message):
    parquet.write_table(pyarrow.table(columns), tmp_path / "some.parquet")
    not_opened(tmp_path / "some.parquet", message)


def test_what_is_not_parquet_or_has_no_train_split(tmp_path):
    (tmp_path / "none.parquet").write_bytes(b"not at all")
    not_opened(tmp_path / "none.parquet", r"none\.parquet cannot be read as Parquet")
    (tmp_path / "none.parquet").rename(tmp_path / "test.parquet")
    not_opened(tmp_path, "has no file of the train split")


def test_a_stray_file_makes_no_folder_of_images_parquet(tmp_path):
    for name in NAMES:
        paint(tmp_path / name / "1.png", (9, 0, 0))
    write(tmp_path / "train.parquet", [0, 1])
    assert load_dataset(tmp_path).train.paths == ("cat/1.png", "dog/1.png")


def test_a_class_of_the_test_split_alone(tmp_path):
    for split, labels in (("train", "a"), ("train-2", "b"), ("test", "ac")):
        write(tmp_path / f"{split}.parquet", list(labels), names=None)
    not_opened(tmp_path, "a class c in its test split that its train split")


@pytest.mark.parametrize(
    "told",
    ["{", "[" * 99_999, "[]", '{"info": null}', '{"info": {"features": 1}}',
     '{"info": {"features": {"label": {"_type": "ClassLabel"}}}}'],
)  # fmt: skip
def test_metadata_that_tells_nothing(tmp_path, told):
    table = parquet.read_table(write(tmp_path / "pets.parquet", [0, 1]))
    table = table.replace_schema_metadata({"huggingface": told})
    parquet.write_table(table, tmp_path / "pets.parquet")
    assert load_dataset(tmp_path / "pets.parquet").class_names == ("0", "1")


def test_other_columns_and_names_of_texts_do_not_matter(tmp_path):
    table = parquet.read_table(write(tmp_path / "pets.parquet", ["a", "b"]))
    told = json.loads(table.schema.metadata[b"huggingface"])
    told["info"]["features"]["tags"] = [{"dtype": "string"}]
    table = table.append_column("tags", [[["x"], []]])
    table = table.replace_schema_metadata({"huggingface": json.dumps(told)})
    parquet.write_table(table, tmp_path / "pets.parquet")
    assert load_dataset(tmp_path / "pets.parquet").class_names == ("a", "b")


@pytest.mark.parametrize("split", ["train-2", "test"])
@pytest.mark.parametrize(
    ("labels", "names"), [([0, 1], None), (["cat", "dog"], None), ([0, 1], ["cat", "dog", "cow"])]
)
def test_files_that_tell_their_classes_in_different_ways(tmp_path, split, labels, names):
    write(tmp_path / "train-1.parquet", [0, 1])
    write(tmp_path / f"{split}.parquet", labels, names=names)
    not_opened(tmp_path, "tell their classes in different ways")
