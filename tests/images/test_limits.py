"""What is opened, and what is refused."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image
from support.images import QUARTERS, RED, SIZE, assert_colours, png, quarters, refused, written

from imagette.images.formats import MAX_PIXELS
from imagette.images.icons import MAX_PIXELS_IN_ICON
from imagette.images.open_image import open_image, to_pixels


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0",
        b"A letter, not a picture.\n" * 40,
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%PDF-1.7\n",
        b"PK\3\4" + bytes(100),
        np.random.default_rng(2).bytes(5000),
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff",
        b"GIF89a",
    ],
)
def test_what_is_no_picture_is_refused(content, tmp_path):
    assert not refused(content).too_large
    path = tmp_path / "strange.png"
    path.write_bytes(content)
    assert str(path) in refused(path).problem


@pytest.mark.parametrize("format_", ["PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP", "TGA", "PPM"])
def test_a_picture_cut_short_is_refused(format_):
    noise = np.random.default_rng(3).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    content = written(Image.fromarray(noise).convert("P" if format_ == "GIF" else "RGB"), format_)
    for share in (0.1, 0.5, 0.9):
        refused(content[: int(len(content) * share)])


@pytest.fixture
def fake_ghostscript(tmp_path, monkeypatch):
    """A `gs` that leaves a mark when it is run."""
    mark = tmp_path / "was-run"
    program = tmp_path / "gs"
    program.write_text(f"#!/bin/sh\ntouch {mark}\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(EpsImagePlugin, "gs_binary", None)
    return mark


def iptc(inside: bytes) -> bytes:
    """A file in which Pillow reads a picture with every reader it has."""
    fields = [(3, 60, b"\x01\x00"), (3, 65, b"\x01"), (3, 20, struct.pack(">H", SIZE)),
              (3, 30, struct.pack(">H", SIZE)), (3, 120, b"\x05"), (8, 10, inside)]  # fmt: skip
    return b"".join(
        struct.pack(">BBBH", 0x1C, record, number, len(value)) + value
        for record, number, value in fields
    )


EPS = written(quarters(), "EPS")


@pytest.mark.parametrize(("content", "format_"), [(EPS, "EPS"), (iptc(EPS), "IPTC")])
def test_no_picture_runs_ghostscript(content, format_, fake_ghostscript, tmp_path):
    path = tmp_path / "drawing.png"
    path.write_bytes(content)
    refused(path)
    refused(path.rename(tmp_path / "drawing.eps"))
    refused(content)
    assert not fake_ghostscript.exists()
    # Pillow alone would have run it, so the trap is a real one.
    with Image.open(io.BytesIO(content)) as opened:
        assert opened.format == format_
        with pytest.raises(OSError):  # noqa: PT011
            opened.load()
    assert fake_ghostscript.exists()


def test_blp_which_may_hold_a_jpeg_that_no_limit_sees_is_refused():
    content = written(quarters("P"), "BLP")
    Image.open(io.BytesIO(content)).load()
    refused(content)


def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path):
    # The pixels are missing: were they looked for, the file would be refused as damaged.
    for side in (60_000, 8_000):
        bomb = png(side, side, 8, 2, b"")
        assert refused(bomb).too_large
        (tmp_path / "bomb.png").write_bytes(bomb)
        error = refused(tmp_path / "bomb.png")
        assert error.too_large
        assert error.problem.startswith(str(tmp_path / "bomb.png"))
    assert MAX_PIXELS < 8_000 * 8_000
    assert "8000×8000" in error.problem
    assert not refused(png(7_000, 7_000, 8, 2, b"")).too_large


def test_formats_decoded_in_python_have_a_limit_of_their_own():
    for header in (b"P3 1001 1000 255\n", b"qoif" + struct.pack(">IIBB", 1001, 1000, 3, 0)):
        error = refused(header + bytes(100))
        assert error.too_large
        assert "1001×1000" in error.problem
        assert error.problem.rstrip(".").endswith(("PPM file", "QOI file"))
    assert not refused(b"P6 1001 1000 255\n" + bytes(100)).too_large


@pytest.mark.parametrize("format_", ["ICO", "ICNS"])
def test_what_may_hold_more_than_it_says_counts_as_the_largest_icon(format_):
    assert open_image(written(quarters("RGBA"), format_)).pixels == MAX_PIXELS_IN_ICON


def test_an_icon_may_not_hide_a_bomb():
    # The icon says 16×16; what is inside is far larger.
    bitmap = struct.pack("<IiiHHIIiiII", 40, 1100, 2200, 1, 32, 0, 0, 0, 0, 0, 0)
    for inside in (png(1100, 1100, 1, 0, bytes(138 * 1100)), bitmap + bytes(1100 * 1100 * 4)):
        entry = struct.pack("<BBBBHHII", 16, 16, 0, 0, 1, 32, len(inside), 22)
        assert refused(b"\0\0\1\0\1\0" + entry + inside).too_large
    for inside in (png(1100, 1100, 1, 0, b""), written(Image.new("L", (1100, 1100)), "JPEG2000")):
        entry = b"ic08" + struct.pack(">I", len(inside) + 8) + inside
        assert refused(b"icns" + struct.pack(">I", len(entry) + 8) + entry).too_large
    largest = Image.new("RGBA", (1024, 1024), RED)
    assert (to_pixels(written(largest, "ICNS"), SIZE, SIZE) == RED).all()


@pytest.mark.parametrize(
    "filling", [b"\xff\xd8\xff", b"\0", b"\xff", b"\xff\xe5\0\2", b"\xff\xfe\0\2"]
)
def test_a_jpeg_with_an_endless_head_is_refused_before_pillow_reads_it(filling, monkeypatch):
    monkeypatch.setattr(Image, "open", lambda *_, **__: pytest.fail("Pillow read it"))
    refused(b"\xff\xd8\xff\xe0\0\2" + filling * 10_000)


def test_the_limit_on_pixels_is_exact():
    image = Image.new("RGB", (20, 10), RED)
    for picture in (image, np.asarray(image), written(image, "PNG")):
        assert (to_pixels(picture, SIZE, SIZE, max_pixels=200) == RED).all()
        assert refused(picture, max_pixels=199).too_large


def test_a_picture_without_pixels_is_refused():
    refused(Image.new("RGB", (0, 5)))
    refused(np.zeros((0, 5, 3), np.uint8))


@pytest.mark.parametrize("name", ["été, 2 × 2.png", "contents decide, not the ending.txt"])
def test_paths_as_text_and_as_path_objects(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(written(quarters(), "WEBP", lossless=True))
    assert_colours(path, QUARTERS)
    assert_colours(str(path), QUARTERS)


@pytest.mark.parametrize("name", ["missing.png", "", ".", "a" * 5000, "null\0byte"])
def test_a_missing_file_or_a_folder_is_refused(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "There is no file" in refused(name).problem
    assert "There is no file" in refused(Path(name)).problem


@pytest.mark.parametrize("thing", [None, 3, {"image": 1}, (1, 2), io.BytesIO(b""), bytearray(4)])
def test_things_that_are_no_pictures_are_refused(thing):
    assert type(thing).__name__ in refused(thing).problem
