"""Decoding many pictures: in parallel, kept on disk, gone on with, mapped when large."""

import os
import time

import numpy as np
import pytest
from PIL import Image

from imagette.data import decode as decoding
from imagette.data.cache import kept_folder
from imagette.data.dataset import Split
from imagette.data.decode import decode

COUNT = 30


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache; five pictures are many, and ten a batch."""
    monkeypatch.setenv("IMAGETTE_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(decoding, "_KEPT_FROM_IMAGES", 5)
    monkeypatch.setattr(decoding, "_BATCH", 10)
    return tmp_path / "cache" / "pictures"


@pytest.fixture
def files(tmp_path):
    """Thirty pictures, each of its own red; the eighth and the last are none."""
    paths = [tmp_path / f"{number}.png" for number in range(COUNT)]
    for number, path in enumerate(paths):
        Image.new("RGB", (9, 9), (number, 0, 0)).save(path)
    for path in (paths[7], paths[29]):
        path.write_bytes(b"no picture")
    return paths


def reds(images: np.ndarray) -> list[int]:
    return images[:, 0, 0, 0].tolist()


READABLE = [number for number in range(COUNT) if number not in (7, 29)]


def decoded(files, size: int = 8, total_bytes: int = 0):
    stamps = [f"{path} {path.stat().st_mtime_ns}" for path in files]
    return decode(files, size, stamps, total_bytes)


def test_they_are_kept_and_taken_from_there(files, cache, monkeypatch):
    images, unreadable = decoded(files)
    assert images.shape == (28, 8, 8, 3)
    assert reds(images) == READABLE
    assert sorted(unreadable) == [7, 29]
    assert unreadable[7].startswith("cannot be read as a picture")

    monkeypatch.setattr(decoding, "decode_image", None)  # nothing is decoded any more
    again, still = decoded(files)
    assert np.array_equal(again, images)
    assert still == unreadable


def test_another_size_or_a_changed_picture_is_decoded(files):
    first, _ = decoded(files)
    larger, _ = decoded(files, 16)
    assert larger.shape == (28, 16, 16, 3)
    Image.new("RGB", (9, 9), (200, 0, 0)).save(files[0])
    changed, _ = decoded(files)
    assert reds(changed)[0] == 200
    assert reds(first)[0] == 0


def test_what_preprocessing_of_another_version_has_made_is_not_taken(files, cache, monkeypatch):
    decoded(files)
    monkeypatch.setattr(decoding, "PREPROCESS_VERSION", decoding.PREPROCESS_VERSION + 1)
    decoded(files)
    assert len(list(cache.glob("*.rgb"))) == 2


def test_few_are_not_kept(files, cache):
    images, _ = decoded(files[:4])
    assert reds(images) == [0, 1, 2, 3]
    assert not cache.exists()
    decoded(files[:4], total_bytes=decoding._KEPT_FROM_BYTES)
    assert list(cache.glob("*.rgb"))


def test_what_was_stopped_goes_on(files, cache, monkeypatch):
    decode_image, seen, stop_at = decoding.decode_image, [], files[15]

    def watched(source, *size):
        seen.append(source)
        if source == stop_at:
            raise KeyboardInterrupt
        return decode_image(source, *size)

    monkeypatch.setattr(decoding, "decode_image", watched)
    with pytest.raises(KeyboardInterrupt):
        decoded(files)
    (partial,) = cache.glob("*.partial")
    (log,) = cache.glob("*.log")
    # As a crash may leave them: half a picture, half a line.
    partial.write_bytes(partial.read_bytes() + b"half a picture")
    log.write_text(log.read_text(encoding="utf-8") + '{"done": 2', encoding="utf-8")

    seen.clear()
    stop_at = None
    images, unreadable = decoded(files)
    assert set(seen) == set(files[10:])  # the first batch was done
    assert reds(images) == READABLE
    assert sorted(unreadable) == [7, 29]


def test_a_log_without_its_pixels_counts_for_nothing(files, cache):
    decoded(files)
    next(cache.glob("*.rgb")).unlink()
    images, _ = decoded(files)
    assert reds(images) == READABLE


def test_many_are_mapped(files, monkeypatch):
    monkeypatch.setattr(decoding, "LARGE", 28 * 8 * 8 * 3 - 1)
    images, _ = decoded(files)
    assert isinstance(images, np.memmap)
    assert reds(images) == READABLE
    images[0] = 99  # of no effect on what is kept
    assert reds(decoded(files)[0]) == READABLE

    monkeypatch.setattr(decoding, "LARGE", 10 * 8 * 8 * 3 - 1)
    split = Split(images, np.arange(28))
    some = split.take(np.arange(27, 5, -1))
    assert isinstance(some.images, np.memmap)
    assert reds(some.images) == READABLE[27:5:-1]
    assert not isinstance(split.take(np.arange(3)).images, np.memmap)
    assert some.fingerprint() == Split(np.array(some.images), some.labels).fingerprint()


def test_what_nothing_has_used_for_a_month_goes(cache):
    old, new = kept_folder("pictures") / "old.rgb", cache / "new.rgb"
    for path in (old, new):
        path.write_bytes(b"x")
    month_ago = time.time() - 31 * 86_400
    os.utime(old, (month_ago, month_ago))
    kept_folder("pictures")
    assert not old.exists()
    assert new.exists()
