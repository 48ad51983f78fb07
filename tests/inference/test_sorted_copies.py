"""Pictures sorted into folders: everything is kept, and nothing copied twice."""

import errno
import os
from pathlib import Path

import pytest
from PIL import Image
from support.images import noise, quarters, written

from imagette.errors import ImageError, ImagetteError
from imagette.files import MARK
from imagette.images.find_images import find_images, folders_in
from imagette.inference import sorted_copies as module
from imagette.inference.batch import to_row
from imagette.inference.classifier import Prediction
from imagette.inference.sorted_copies import NONE_OF_THESE, SortedCopies, copy_name, folder_names

CLASSES = ("cat", "a/b")


def row(name, label="cat", known=True):
    probabilities = dict.fromkeys(CLASSES, 0.5)
    answer = Prediction(label, label, CLASSES.index(label), 0.5, probabilities, known)
    return to_row(name, answer, "m")


def sort(folder, pictures, **answer):
    """Sort pictures, all with one answer."""
    copies = SortedCopies(folder, CLASSES)
    names = [name for name, _ in copies.watch(pictures)]
    problems = copies.sort([row(name, **answer) for name in names])
    return copies, problems


def inside(folder):
    """What lies in a folder, but for its mark."""
    files = (path for path in Path(folder).rglob("*") if path.is_file() and path.name != MARK)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.fixture
def pictures(tmp_path):
    """Three of one name, two of which are the same."""
    found = []
    for folder, seed in (("a", 1), ("b", 2), ("c", 1)):
        path = tmp_path / "holidays" / folder / "1.png"
        path.parent.mkdir(parents=True)
        path.write_bytes(noise(seed))
        found.append((str(path), str(path)))
    return found


def test_each_lies_in_the_folder_of_its_class(tmp_path, pictures):
    into = tmp_path / "new" / "sorted"
    os.utime(pictures[0][1], (1e9, 1e9))
    copies, problems = sort(into, pictures[:1])
    sort(into, pictures[1:2], label="a/b")
    sort(into, pictures[2:], known=False)
    assert (copies.copied, copies.there, problems) == (1, 0, [])
    expected = {"cat/1.png": noise(1), "a_b/1.png": noise(2), f"{NONE_OF_THESE}/1.png": noise(1)}
    assert inside(into) == expected
    assert (into / "cat" / "1.png").stat().st_mtime == 1e9
    assert inside(tmp_path / "holidays").keys() == {"a/1.png", "b/1.png", "c/1.png"}


@pytest.mark.parametrize("links", [True, False])
def test_one_name_twice_gets_a_number_and_nothing_is_copied_twice(
    tmp_path, pictures, monkeypatch, links
):
    def no_links(*_):
        raise OSError(errno.EPERM, "Operation not permitted")

    if not links:
        monkeypatch.setattr(os, "link", no_links)
    into = tmp_path / "sorted"
    expected = {"cat/1.png": noise(1), "cat/1-2.png": noise(2)}
    for copied in (2, 0):
        copies, _ = sort(into, pictures)
        assert (copies.copied, copies.there) == (copied, 3 - copied)
        assert inside(into) == expected
    (into / "cat" / "1.png").write_bytes(b"changed by somebody")
    sort(into, pictures)
    kept = expected | {"cat/1.png": b"changed by somebody", "cat/1-3.png": noise(1)}
    assert inside(into) == kept


def test_what_another_program_writes_meanwhile_is_not_written_over(tmp_path, pictures):
    into = tmp_path / "sorted"
    copies = SortedCopies(into, CLASSES)
    list(copies.watch(pictures))
    copies.sort([row(pictures[0][0])])
    (into / "cat" / "1-2.png").write_bytes(b"of another")
    copies.sort([row(name) for name, _ in pictures[1:]])
    expected = {"cat/1.png": noise(1), "cat/1-2.png": b"of another", "cat/1-3.png": noise(2)}
    assert inside(into) == expected


def test_what_came_as_bytes_or_pixels_gets_a_name_with_an_ending(tmp_path):
    jpeg = written(quarters(), "JPEG")
    pictures = [
        ("stdin", noise(1)),
        ("https://example.org/a%20b.jpg?size=2#x", jpeg),
        ("https://example.org/", jpeg),
        ("https://example.org/picture.php?id=3", jpeg),
        ("films/day.mp4#t=12.5", quarters()),
        ("camera0#t=2026-11-30T10:33:00.125Z", quarters()),
        ("https://example.org/x/film.mp4?a#t=1.0", quarters()),
    ]
    sort(tmp_path / "sorted", pictures)
    names = [
        "stdin.png", "a b.jpg", "picture.jpg", "picture-2.jpg", "day-12.5.jpg",
        "camera0-2026-11-30T10-33-00.125Z.jpg", "film-1.0.jpg",
    ]  # fmt: skip
    # One picture under two addresses of the same name is one.
    names.remove("picture-2.jpg")
    assert inside(tmp_path / "sorted").keys() == {f"cat/{name}" for name in names}
    with Image.open(tmp_path / "sorted" / "cat" / "day-12.5.jpg") as frame:
        assert frame.size == quarters().size


def test_no_name_leads_out_of_the_folder():
    for name in ("https://h/..", "https://h/%2e%2e%2f%2e%2e%2fx.png", "https://h/%00", "..#t=1.0"):
        made = copy_name(name, quarters() if "#" in name else noise(1))
        assert Path(made).name == made
        assert not made.startswith(".")


def test_what_cannot_be_read_stays(tmp_path, pictures):
    into = tmp_path / "sorted"
    copies = SortedCopies(into, CLASSES)
    broken = ImageError("It is broken.", "Mend it.")
    gone = str(tmp_path / "gone.png")
    list(copies.watch([(gone, gone), ("x", broken), *pictures[:1]]))
    rows = [row(gone), to_row("x", broken, "m"), row(pictures[0][0])]
    assert copies.sort(rows) == [f"{gone} was not copied: No such file or directory."]
    assert inside(into).keys() == {"cat/1.png"}


def test_it_is_not_read_again_with_the_pictures_that_it_was_made_of(tmp_path, pictures):
    home = tmp_path / "holidays"
    before = find_images(home).images
    sort(home / "sorted", pictures)
    found = find_images(home)
    assert found.images == before
    assert found.left_out == [(home / "sorted", "was written by Imagette")]
    assert [path.name for path in folders_in(home)] == ["a", "b", "c"]
    asked_for = find_images(home / "sorted").images
    assert [path.name for path in asked_for] == ["1-2.png", "1.png"]
    assert [path.name for path in folders_in(home / "sorted")] == ["cat"]


def test_a_folder_of_something_else_is_not_used(tmp_path, pictures):
    for folder in (tmp_path, tmp_path / "holidays", Path(pictures[0][1])):
        with pytest.raises(ImagetteError, match="Pictures cannot be sorted into"):
            SortedCopies(folder, CLASSES)
        assert not (folder / MARK).exists()
    empty = tmp_path / "empty"
    empty.mkdir()
    SortedCopies(empty, CLASSES)
    assert (empty / MARK).exists()


def test_a_full_disk_is_told_and_leaves_no_half_of_a_file(tmp_path, pictures, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    copies = SortedCopies(tmp_path / "sorted", CLASSES)
    list(copies.watch(pictures))
    monkeypatch.setattr(module.shutil, "copyfileobj", full)
    with pytest.raises(ImagetteError) as raised:
        copies.sort([row(pictures[0][0])])
    assert raised.value.problem.endswith("sorted: No space left on device.")
    assert "not copied twice" in raised.value.remedy
    assert inside(tmp_path / "sorted") == {}


def test_every_class_has_a_folder_of_its_own():
    names = [
        "cat", "Cat", "CAT", "a/b", "a_b", "..", ".", " ", "", "con", ".hidden", "x" * 400,
        "é" * 300, "line\nbreak", "none of these", "dot.", "猫",
    ]  # fmt: skip
    found = folder_names([*names, NONE_OF_THESE])
    assert found["cat"] == "cat"
    assert found["猫"] == "猫"
    assert found["Cat"] == "Cat-2"
    folders = list(found.values())
    assert len({one.casefold() for one in folders}) == len(names)
    for folder in folders:
        assert not module.why_no_file_name(folder)
        assert not folder.startswith(".")
