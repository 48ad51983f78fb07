"""Tables of pictures in files, as people have them."""

import codecs

import numpy as np
import pytest
from support.sources import not_opened, paint

from imagette import load_dataset
from imagette.data import open_source

RED, BLUE = (200, 30, 0), (0, 30, 200)
LABELS = ["red", "red", "red", "blue", "blue"]
ROWS = [(f"photos/{number}.png", label) for number, label in enumerate(LABELS)]
PLAIN = "\n".join(["path,label", *(f"{path},{label}" for path, label in ROWS)])


@pytest.fixture
def photos(tmp_path):
    """Three red pictures and two blue ones in one folder, without class folders."""
    for number, label in enumerate(LABELS):
        paint(tmp_path / "photos" / f"{number}.png", RED if label == "red" else BLUE)
    return tmp_path


def table(folder, text, name="table.csv"):
    content = text if isinstance(text, bytes) else text.encode()
    (folder / name).write_bytes(content)
    return folder / name


def lines(header, rows, separator=","):
    return "\n".join([header, *(separator.join(row) for row in rows)])


def check_classes(found):
    assert found.class_names == ("blue", "red")
    assert found.raw_train.labels.tolist() == [1, 1, 1, 0, 0]


def test_a_csv_file_of_paths_and_labels(photos):
    file = table(photos, PLAIN)
    data = load_dataset(file)
    check_classes(data)
    assert (data.name, data.source) == ("table", str(file))
    assert data.train.paths == tuple(path for path, _ in ROWS)
    assert data.train.images[0, 5, 5].tolist() == list(RED)
    assert (data.test, data.skipped, data.notes) == (None, (), ())
    assert np.array_equal(load_dataset(data.source).train.images, data.train.images)


# How it is written ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        PLAIN.replace(",", ";"),
        PLAIN.replace(",", "\t"),
        PLAIN.replace(",", "|"),
        PLAIN.replace(",", ", "),
        PLAIN.replace(",", " "),
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("\n", "\r"),
        PLAIN.replace("\n", "\n\n") + "\n\n",
        PLAIN.replace("\n", ",\n") + ",",
        "sep=;\r\n" + PLAIN.replace(",", ";"),
        codecs.BOM_UTF8 + PLAIN.encode(),
        PLAIN.encode("utf-16"),
        PLAIN.encode("utf-16-le"),
        PLAIN.encode("utf-16-be"),
        '"path","label","said"\n' + "\n".join(f'"{path}","{label}","a, b"' for path, label in ROWS),
        lines("path label", [(str(n), *row) for n, row in enumerate(ROWS)], " "),  # by R
        lines(",label,path", [(str(n), *row[::-1]) for n, row in enumerate(ROWS)]),  # by pandas
        PLAIN.partition("\n")[2],
    ],
)
def test_separators_encodings_and_ends_of_lines(photos, text):
    check_classes(open_source(table(photos, text, "table.txt")))


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(f'{{"file_name": "{path}", "label": "{label}"}}' for path, label in ROWS),
        "[" + ", ".join(f'{{"image": "{path}", "label": "{label}"}}' for path, label in ROWS) + "]",
        "{" + ", ".join(f'"{path}": "{label}"' for path, label in ROWS) + "}",
    ],
)
def test_json(photos, text):
    check_classes(open_source(table(photos, text, "metadata.jsonl")))


def test_what_is_not_utf_8_is_told(photos):
    found = open_source(table(photos, PLAIN.replace("red", "été").encode("cp1252")))
    assert found.class_names == ("blue", "été")
    assert "Windows-1252" in found.notes[0]


# Which column is which --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header",
    ["image_path,label", "FilePaths,labels", "file name,class", "Image,Class Name", "id,breed",
     "image:FILE,category", "uri,lbl", "fname,ClassId", "Fichier,Étiquette", "anything,else"],
)  # fmt: skip
def test_usual_names_of_columns_and_what_stands_in_them(photos, header):
    check_classes(open_source(table(photos, lines(header, ROWS))))


def test_other_columns_do_not_matter(photos):
    rows = [(str(n), path, str(n * n), label, "40") for n, (path, label) in enumerate(ROWS)]
    found = open_source(table(photos, lines("id,where,size,what,width", rows)))
    check_classes(found)
    assert found.notes == ("The column what is taken for the classes.",)


@pytest.mark.parametrize("yes", ["1", "1.0", "True"])
def test_a_column_a_class_with_a_single_1(photos, yes):
    rows = [(path, *((yes, "0") if label == "red" else ("0", yes))) for path, label in ROWS]
    found = open_source(table(photos, lines("filename, red, blue", rows)))
    check_classes(found)
    assert "red, blue" in found.notes[0]
    rows[3] = (rows[3][0], yes, yes)
    not_opened(table(photos, lines("filename,red,blue", rows)), r"1 of 5 lines .*line 5 \(red, bl")


def test_numbers_for_classes(photos):
    rows = [(path, f"{10 if label == 'red' else 9}.0") for path, label in ROWS]
    found = open_source(table(photos, lines("path,label", [*rows, ("photos/0.png", "nan")])))
    assert found.class_names == ("9", "10")
    assert found.raw_train.labels.tolist() == [1, 1, 1, 0, 0]
    assert found.skipped == (("photos/0.png", "(line 7) has no label."),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,label", "lists no picture"),
        ("", "lists no picture"),
        ("path,said\nphotos/0.png,one\nphotos/1.png,two", "of classes: it has path, said"),
        ("a,label\nb,c\nd,c", "has no column of pictures: it has a, label, and none of them"),
        ("path,label\nphotos/0.png,red", "holds a single class"),
        (lines("path,x,y", [(*row, row[1]) for row in ROWS]), "could tell the classes: x, y"),
        (lines("left,right,label", [(a, a, b) for a, b in ROWS]), "name the pictures: left, right"),
        (lines("path,label,split", [(*row, "A") for row in ROWS]), "says A, which names no"),
        (lines("path,label,partition", [(*row, "0") for row in ROWS]), "says 0, which names no"),
        (lines("path,age", [(path, "20.5") for path, _ in ROWS]), "of classes: it has path, age"),
        (lines("path,label,split", [(*row, "test") for row in ROWS]), "None of .* is in the train"),
        (b"path,label\n\xff\xfe\x00", "cannot be read as a table: it is not text"),
        (b"PK\x03\x04 and so on", "is a spreadsheet"),
    ],
)  # fmt: skip
def test_what_is_no_table_of_pictures(photos, text, message):
    not_opened(table(photos, text), message)


def test_json_of_something_else(photos):
    not_opened(table(photos, '{"images": []}', "coco.json"), "not a list of pictures")
    not_opened(table(photos, '{"images": [', "cut.json"), "cannot be read as a table")


# Splits -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "values"),
    [
        ("split", ["train", "TEST", "", "Training", "valid"]),
        ("data set", ["train", "test", "train", "train", "val"]),
        ("when", ["train", "test", "train", "train", "dev"]),
        ("is_valid,is_test", ["0,0", "0,1", "0,0", "0,0", "1,0"]),
        ("is_train,valid", ["yes,no", "no,no", "yes,no", "yes,no", "no,yes"]),
    ],
)
def test_columns_of_splits(photos, columns, values):
    rows = [(*row, value) for row, value in zip(ROWS, values, strict=True)]
    found = open_source(table(photos, lines(f"path,label,{columns}", rows)))
    assert found.raw_test.paths == ("photos/1.png",)
    assert found.raw_train.labels.tolist() == [1, 1, 0]
    assert found.raw_validation.paths == ("photos/4.png",)
    assert f"Splits are those of {columns.replace(',', ', ')}." in found.notes


def test_of_is_train_alone_the_rest_is_to_test_with(photos):
    rows = [(*row, str(n != 1)) for n, row in enumerate(ROWS)]
    assert open_source(table(photos, lines("path,label,is_train", rows))).raw_test.labels == [1]


def test_columns_that_name_no_splits(photos):
    """Folds have no meaning here; what is said of a row and not known is told."""
    rows = [(*row, str(n)) for n, row in enumerate(ROWS)]
    check_classes(open_source(table(photos, lines("path,label,fold", rows))))
    rows = [(*row, "later" if n == 0 else "train") for n, row in enumerate(ROWS)]
    [skipped] = open_source(table(photos, lines("path,label,split", rows))).skipped
    assert skipped == (
        "photos/0.png", "(line 2) has a split that is none of train, validation and test."
    )  # fmt: skip


# Where the pictures are -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("write", "found_by_name"),
    [
        (lambda path, folder: f"./{path}", False),
        (lambda path, folder: f"{folder}/{path}", False),
        (lambda path, folder: f"file://{folder}/{path}", False),
        (lambda path, folder: path.replace("/", "\\"), False),
        (lambda path, folder: path.replace("p", "%70", 1), False),
        (lambda path, folder: f"C:\\Users\\x\\{path}".replace("/", "\\"), True),
        (lambda path, folder: f"/home/x/{path}", True),
        (lambda path, folder: path.removesuffix(".png"), True),
        (lambda path, folder: path.removeprefix("photos/"), True),
        (lambda path, folder: path.removeprefix("photos/").removesuffix(".png"), True),
        (lambda path, folder: path.upper(), True),
    ],
)
def test_files_by_other_paths(photos, write, found_by_name):
    rows = [(write(path, photos), label) for path, label in ROWS]
    found = open_source(table(photos, lines("path,label", rows)))
    check_classes(found)
    assert found.raw_train.paths == tuple(path for path, _ in ROWS)
    assert [note.startswith("Found by their names") for note in found.notes] == [
        True
    ] * found_by_name


def test_of_several_such_files_the_label_or_the_tables_name_tells(photos):
    """Ids often begin anew in each folder; other folders than those that are said are not it."""
    for number in range(5):
        paint(photos / "test" / f"{number}.png", RED)
        paint(photos / "copies" / "red" / f"{number}.png", RED)
    (photos / "photos").rename(photos / "train")
    ids = [(str(number), label) for number, label in enumerate(LABELS)]
    found = open_source(table(photos, lines("id,label", ids), "trainLabels.csv"))
    assert found.raw_train.paths == (
        "copies/red/0.png", "copies/red/1.png", "copies/red/2.png", "train/3.png", "train/4.png",
    )  # fmt: skip
    rows = [("test/0.png", "red"), ("gone/1.png", "blue"), ("train/1.png", "blue")]
    [skipped] = open_source(table(photos, lines("path,label", rows))).skipped
    assert skipped == ("gone/1.png", "(line 3) is no file that is there.")
    (photos / "train").rename(photos / "other")
    rows = [("copies/red/1.png", "red"), ("4", "blue"), ("other/4.png", "blue")]
    [skipped] = open_source(table(photos, lines("path,label", rows))).skipped
    assert skipped[1].startswith("(line 3) could be any of copies/red/4.png, other/4.png, test/4")


@pytest.mark.parametrize(
    ("place", "reason", "remedy"),
    [
        ("https://example.org/", r"org/0.png \(line 2\) is an address \(https\)", "Download"),
        ("gone/", r"gone/0.png \(line 2\) is no file", "beside the folder"),
    ],
)
def test_of_no_picture_the_first_reason_is_told(photos, place, reason, remedy):
    rows = [(path.replace("photos/", place), label) for path, label in ROWS]
    file = table(photos, lines("path,label", rows))
    error = not_opened(file, f"None of the 5 pictures that .*table.csv lists .*: .*{reason}")
    assert remedy in error.remedy


def test_what_is_missing_or_there_again_is_told(photos):
    long = f"{'long' * 2000}.png"
    others = [("photos/gone.png", "red"), (long, "red"), ROWS[1], ("", "red")]
    rows = [*ROWS, *others, ("photos/2.png", "blue")]
    found = open_source(table(photos, lines("path,label", rows)))
    assert found.raw_train.labels.tolist() == [1, 1, 1, 0, 0, 0]
    assert [reason for _, reason in found.skipped] == [
        "(line 7) is no file that is there.",
        "(line 8) is no file that is there.",
        "(line 10) has no path.",
    ]
    missing, again, contradicting = found.notes
    assert "photos/gone.png (2 in all)" in missing
    assert "photos/1.png by line 9 (1 in all)" in again
    assert "photos/2.png is red by line 4 and blue by line 11 (1 in all)" in contradicting


def test_so_few_are_there_that_a_class_is_missing(photos):
    rows = [(path, label) if label == "red" else (f"gone/{path}x", label) for path, label in ROWS]
    not_opened(table(photos, lines("path,label", rows)), "Only 3 of the 5 .*all of the class red")


@pytest.mark.parametrize(
    ("labels", "told"),
    [(["cat", "Cat", "dog", "dog", "dog"], "Cat = cat"), (["a", "b", "a x", "b x", "b"], "'a x'")],
)
def test_labels_that_may_be_meant_otherwise_are_told(photos, labels, told):
    rows = [(path, label) for (path, _), label in zip(ROWS, labels, strict=True)]
    [note] = open_source(table(photos, lines("path,label", rows))).notes
    assert set(told.strip("'").split(" = ")) <= set(labels)
    assert told in note or " = ".join(reversed(told.split(" = "))) in note
