"""TIFF files that ask too much of their decoders, and those that only look as if they did."""

import copy
import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, features
from support.images import refused

from imagette.images.open_image import to_pixels
from imagette.images.tiff import check_tiff

BYTE, SHORT, LONG, SLONG8 = 1, 3, 4, 17
TILE = zlib.compress(bytes([77]) * 256)

libtiff = pytest.mark.skipif(not features.check("libtiff"), reason="it reads compressed tiles")


def tiff(*tags, content=b"", order="<", size=(16, 16), compression=8, strips=False) -> bytes:
    """A grey TIFF file, of one tile 16 × 16 if `tags` (tag, type, values) say nothing else.

    Values of several numbers lie behind `content`, which is at byte 1000.
    """
    place, length = (273, 279) if strips else (324, 325)
    entries = {
        256: (LONG, [size[0]]), 257: (LONG, [size[1]]), 258: (SHORT, [8]),
        259: (SHORT, [compression]), 262: (SHORT, [1]), 277: (SHORT, [1]),
        place: (LONG, [1000]), length: (LONG, [len(content)]),
    }  # fmt: skip
    if not strips:
        entries |= {322: (LONG, [16]), 323: (LONG, [16])}
    entries = [(tag, *entry) for tag, entry in entries.items() if tag not in {t[0] for t in tags}]
    body = content
    directory = b""
    for tag, kind, values in sorted([*entries, *tags], key=lambda entry: entry[0]):
        numbers = struct.pack(order + {BYTE: "B", SHORT: "H"}.get(kind, "I") * len(values), *values)
        if len(numbers) > 4:
            numbers, body = struct.pack(order + "I", 1000 + len(body)), body + numbers
        directory += struct.pack(order + "HHI", tag, kind, len(values)) + numbers.ljust(4, b"\0")
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    count = struct.pack(order + "H", len(directory) // 12)
    return (head + count + directory).ljust(1000, b"\0") + body


@libtiff
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [SHORT, LONG])
def test_tiles_are_read(order, kind):
    content = tiff((322, kind, [16]), (323, kind, [16]), content=TILE, order=order)
    assert (to_pixels(content, 16, 16) == 77).all()


@libtiff
def test_tiles_may_share_their_bytes():
    places, lengths = (324, LONG, [1000] * 16), (325, LONG, [len(TILE)] * 16)
    content = tiff(places, lengths, content=TILE, size=(64, 64))
    assert (to_pixels(content, 16, 16) == 77).all()


def test_a_big_tiff_is_read(tmp_path):
    pixels = np.random.default_rng(1).integers(0, 256, (16, 16, 3), np.uint8)
    path = tmp_path / "big.tif"
    Image.fromarray(pixels).save(path, big_tiff=True)
    assert path.read_bytes().startswith(b"II+\0")
    assert (to_pixels(path, 16, 16) == pixels).all()


@libtiff
def test_an_image_that_somebody_opened_is_read():
    with io.BytesIO(tiff(content=TILE)) as file:
        loaded = Image.open(file)
        loaded.load()
    for image in (loaded, copy.deepcopy(loaded)):
        assert (to_pixels(image, 16, 16) == 77).all()


def test_huge_tiles_are_refused():
    # It would be decoded whole, for a picture of 16 × 16.
    huge = tiff((322, LONG, [14_000]), (323, LONG, [14_000]), content=TILE)
    # Each of these has fewer pixels than are allowed, and so has the picture, a narrow one.
    tile = [(322, LONG, [7000]), (323, LONG, [7000])]
    many = tiff(*tile, (324, LONG, [1000] * 8), content=TILE, size=(1, 50_000))
    for content, size in ((huge, "14000×14000"), (many, "7000×56000")):
        error = refused(content)
        assert error.too_large
        assert f"{size} pixels with its tiles whole" in error.problem
    assert not refused(tiff()).too_large  # it holds no tile at all


@pytest.mark.parametrize(
    "content",
    [
        # Tiles whose size cannot be told: Pillow leaves the first out, the second is no number.
        tiff((322, SLONG8, [200]), (323, SLONG8, [200]), content=TILE),
        tiff((322, BYTE, [240]), (323, LONG, [14_000]), content=TILE),
        tiff((322, SLONG8, [200]), (322, LONG, [16]), content=TILE),
        tiff((322, LONG, [14_000]), (323, LONG, []), content=TILE),
        tiff((322, LONG, [16]), (323, LONG, [0]), content=TILE),
        tiff((322, LONG, [16, 16]), content=TILE),
        # A BigTIFF whose directory libtiff reads at byte 16, and Pillow at 0x80000.
        b"MM\0+" + struct.pack(">HHQ", 8, 0, 16) + bytes(100),
        *(tiff(content=TILE)[:end] for end in (3, 9, 60)),
    ],
)
def test_what_is_not_written_plainly_or_is_cut_short_is_refused(content):
    assert "cannot be read" in refused(content).problem


@pytest.mark.parametrize(
    ("tags", "problem"),
    [
        # Pillow would make a tuple of each, and libtiff turn a megabyte's bits around for each.
        ([(273, LONG, [1000] * 300_000)], "too many numbers"),
        ([(273, BYTE, [200] * 300_000)], "not for them"),
        ([(258, SHORT, [8] * 300_000)], "too many numbers"),
        ([(273, LONG, [1000] * 1000), (279, LONG, [1_000_000] * 1000)], "more bytes than there"),
        ([(257, LONG, [16]), (257, LONG, [1_000_000])], "too many values"),
    ],
)
def test_strips_that_ask_for_far_more_than_there_is_are_refused(tags, problem):
    content = tiff(*tags, content=bytes(256), compression=1, strips=True)
    with pytest.raises(ValueError, match=problem):
        check_tiff(io.BytesIO(content))
    assert "cannot be read" in refused(content).problem


@pytest.mark.parametrize("content", [b"", b"\x89PNG", tiff(content=TILE)])
def test_a_file_that_passes_is_left_at_its_beginning(content):
    file = io.BytesIO(content)
    check_tiff(file)
    assert file.tell() == 0
