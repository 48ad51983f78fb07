"""Zip files that people give for lessons: their own, others', and those made to do harm."""

import io
import json
import struct
import zipfile

import pytest

pytest.importorskip("streamlit", reason="the page needs imagette[webapp]")

from support.images import noise, stripes

from imagette.webapp.lesson_zip import LessonZipError, read_lesson_zip
from imagette.webapp.uploads import Upload


def packed(files, **options):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", **options) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


def read(content, max_classes=10, max_pictures=500, max_bytes=10_000_000):
    return read_lesson_zip(Upload(content), max_classes, max_pictures, max_bytes)


def kind_of(content, **bounds):
    with pytest.raises(LessonZipError) as caught:
        read(content, **bounds)
    return caught.value.kind


def shown(lesson):
    return {name: [path for path, _ in pictures] for name, pictures in lesson.classes.items()}


A, B = noise(1), noise(2)
PLAIN = {"a/1.png": A, "b/1.png": B}


def test_a_saved_lesson_keeps_its_name_and_its_order():
    classes = [
        {"name": "zoo", "pictures": ["zoo/9.png", "zoo/1.png"]},
        {"name": "empty", "pictures": []},
        {"name": "ape", "pictures": ["ape/5.png"]},
    ]
    about = {"format": "imagette-lesson", "version": 1, "name": "Mes été", "classes": classes}
    files = {"ape/5.png": A, "zoo/1.png": A, "zoo/9.png": B, "zoo/0.png": stripes(0, True)}
    lesson = read(packed({"imagette-lesson.json": json.dumps(about)} | files))
    assert lesson.name == "Mes été"
    order = {"zoo": ["zoo/9.png", "zoo/1.png", "zoo/0.png"], "empty": [], "ape": ["ape/5.png"]}
    assert shown(lesson) == order
    assert list(lesson.classes) == list(order)
    for name, pictures in lesson.classes.items():
        for path, picture in pictures:
            assert picture.data == files[path], name
            assert picture.refused is None


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (PLAIN, {"a": ["a/1.png"], "b": ["b/1.png"]}),
        # Packed again by hand, with what systems leave behind, or by Windows.
        ({f"my lesson/{name}": content for name, content in PLAIN.items()},
         {"a": ["my lesson/a/1.png"], "b": ["my lesson/b/1.png"]}),
        (PLAIN | {"__MACOSX/a/._1.png": b"x", "a/.DS_Store": b"x", "b/Thumbs.db": b"x",
                  "notes.txt": b"x", "c/": b""},
         {"a": ["a/1.png"], "b": ["b/1.png"]}),
        ({"a\\1.png": A, "b\\deep\\2.png": B}, {"a": ["a/1.png"], "b": ["b/deep/2.png"]}),
    ],
)  # fmt: skip
def test_folders_of_pictures_are_classes(files, expected):
    found = shown(read(packed(files, compression=zipfile.ZIP_DEFLATED)))
    assert {name: [path.replace("\\", "/") for path in all_] for name, all_ in found.items()} == (
        expected
    )


@pytest.mark.parametrize(
    "about",
    [b"{", b"[" * 100_000, b"\xff\xfe", b"[]", b'{"format": "imagette-lesson"}',
     b'{"format": "imagette-lesson", "version": "1", "name": 5, "classes": 7}',
     b'{"format": "imagette-lesson", "classes": [3, {"name": []}, {"name": "a", "pictures": 4}]}'],
)  # fmt: skip
def test_what_it_says_of_itself_may_be_anything(about):
    lesson = read(packed(PLAIN | {"imagette-lesson.json": about}))
    assert (lesson.name, sorted(lesson.classes)) == ("", ["a", "b"])


@pytest.mark.parametrize(
    "place", ["../a/1.png", "/a/1.png", "C:\\a\\1.png", "a/../../b/1.png", "..\\1.png"]
)
def test_names_that_lead_outside_are_refused(place):
    assert kind_of(packed(PLAIN | {place: A})) == "zip-unsafe"


def test_what_is_no_lesson_is_told():
    assert kind_of(packed({})) == "zip-no-pictures"
    assert kind_of(packed({"a.png": A, "b.png": B})) == "zip-no-pictures"
    assert kind_of(packed({"a/1.png": A})) == "zip-no-pictures"
    assert kind_of(packed(PLAIN), max_classes=1) == "zip-too-many"
    assert kind_of(packed(PLAIN), max_pictures=1) == "zip-too-many"
    newer = {"imagette-lesson.json": '{"format": "imagette-lesson", "version": 2}'}
    assert kind_of(packed(PLAIN | newer)) == "zip-newer"


def test_bombs_are_refused_before_they_are_unpacked():
    zeros = {f"a/{n}.bmp": bytes(60_000_000) for n in range(2)}
    bomb = packed(zeros | {"b/1.png": B}, compression=zipfile.ZIP_DEFLATED)
    assert len(bomb) < 200_000
    assert kind_of(bomb) == "zip-bomb"
    # One that lies about its sizes unpacks to no more than is asked for.
    lying = packed({"a/1.bmp": bytes(5_000_000), "b/1.png": B}, compression=zipfile.ZIP_DEFLATED)
    size = struct.pack("<I", 5_000_000)
    assert lying.count(size) == 2
    lesson = read(lying.replace(size, struct.pack("<I", 500)), max_bytes=1_000)
    assert len(lesson.classes["a"][0][1].data) <= 1_001


def test_listings_that_take_a_memory_are_not_read():
    """Of a file of 100 MB, the objects of its listing could be gigabytes."""
    content = packed(PLAIN)
    end = content.rfind(b"PK\x05\x06")
    long = content[:end] + b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 9, 9, 9_000_000, 0, 0)
    assert kind_of(long) == "zip-too-many"
    # A second listing, of the kind that there is for more than 65,535 files.
    larger = content[:end] + struct.pack("<4sIQI", b"PK\x06\x07", 0, 0, 1) + content[end:]
    assert kind_of(larger) == "zip-too-many"


@pytest.mark.parametrize("cut", [0, 10, -1, 100])
def test_damaged_files_are_told(cut):
    assert kind_of(packed(PLAIN)[:cut]) == "zip-unreadable"


def test_ways_of_packing_that_are_not_undone():
    assert kind_of(packed(PLAIN, compression=zipfile.ZIP_LZMA)) == "zip-unreadable"
    encrypted = bytearray(packed(PLAIN))
    encrypted[encrypted.index(b"PK\x01\x02") + 8] |= 1
    assert kind_of(bytes(encrypted)) == "zip-unreadable"


def test_a_damaged_picture_is_one_that_cannot_be_read():
    damaged = packed(PLAIN).replace(A[100:110], bytes(10))
    lesson = read(damaged)
    assert lesson.classes["a"][0][1].data == b"damaged"
    assert lesson.classes["b"][0][1].data == B
