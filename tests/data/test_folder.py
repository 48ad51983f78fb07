"""Folders of pictures."""

import pytest
from PIL import Image

from imagette import ImagetteError, load_dataset


def paint(path, colour, size=(40, 30)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


@pytest.fixture
def shop(tmp_path):
    for number in range(6):
        paint(tmp_path / "shop" / "apple" / f"{number}.png", (200, 10 * number, 0))
        paint(tmp_path / "shop" / "pear" / "deeper" / f"{number}.JPG", (0, 200, 10 * number))
    return tmp_path / "shop"


def test_classes_are_folders(shop):
    data = load_dataset(shop)
    assert data.class_names == ("apple", "pear")
    assert data.name == "shop"
    assert data.test is None
    assert data.train.labels.tolist() == [0] * 6 + [1] * 6
    assert data.train.images.shape == (12, 32, 32, 3)
    assert data.train.images[3, 16, 16].tolist() == [200, 30, 0]


def test_source_loads_it_again_from_anywhere(shop, monkeypatch, tmp_path):
    monkeypatch.chdir(shop.parent)
    source = load_dataset("shop").source
    monkeypatch.chdir(tmp_path.parent)
    assert len(load_dataset(source).train) == 12


def test_train_and_test_folders(shop, tmp_path):
    both = tmp_path / "both"
    both.mkdir()
    shop.rename(both / "train")
    paint(both / "test" / "pear" / "x.webp", "green")
    data = load_dataset(both)
    assert len(data.train) == 12
    assert data.test is not None
    assert data.test.labels.tolist() == [1]


def test_a_class_may_be_called_train(tmp_path):
    paint(tmp_path / "train" / "1.png", "red")
    paint(tmp_path / "ship" / "1.png", "blue")
    assert load_dataset(tmp_path).class_names == ("ship", "train")


def test_unreadable_pictures_are_left_out_and_listed(shop):
    (shop / "apple" / "broken.png").write_bytes(b"not a picture")
    (shop / "apple" / "notes.txt").write_text("not meant as one")
    (shop / "apple" / ".hidden.png").write_bytes(b"")
    data = load_dataset(shop)
    assert len(data.train) == 12
    assert [path for path, _ in data.skipped] == [str(shop / "apple" / "broken.png")]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: None, "no dataset or folder"),
        (lambda folder: folder.mkdir(), "0 folders"),
        (lambda folder: paint(folder / "one" / "1.png", "red"), "1 folders"),
        (
            lambda folder: [paint(folder / "one" / "1.png", "red"), (folder / "two").mkdir()],
            "No readable picture in .*two",
        ),
        (
            lambda folder: [
                paint(folder / part / name / "1.png", "red")
                for part, name in [("train", "a"), ("train", "b"), ("test", "c")]
            ],
            "train part does not have",
        ),
    ],
)
def test_what_is_no_dataset_is_refused(tmp_path, make, message):
    make(tmp_path / "folder")
    with pytest.raises(ImagetteError, match=message):
        load_dataset(tmp_path / "folder")
