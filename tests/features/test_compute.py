"""Features of pictures: computed once, kept, and right whatever a picture comes as."""

import io
import sqlite3

import numpy as np
import pytest
from PIL import Image

from imagette.features import compute, store
from imagette.features.backbone import open_backbone
from imagette.features.compute import compute_features, gather
from imagette.features.store import FeatureStore


@pytest.fixture
def backbone(tmp_path, monkeypatch):
    made = open_backbone()
    monkeypatch.setenv("IMAGETTE_CACHE_DIR", str(tmp_path / "cache"))
    return made


@pytest.fixture
def pictures(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (6, 60, 90, 3), np.uint8)
    paths = [tmp_path / f"{number}.png" for number in range(6)]
    for path, pixels in zip(paths, noise, strict=True):
        Image.fromarray(pixels).resize((300, 200)).save(path)
    return paths


def test_a_file_its_bytes_and_its_pixels_have_the_same_features(backbone, pictures):
    path = pictures[0]
    content, pixels = path.read_bytes(), np.asarray(Image.open(path))
    found = compute_features([path, lambda: content, pixels], backbone, "centre")
    assert found.rows.shape == (3, 1280)
    assert np.array_equal(found.rows[0], found.rows[1])
    assert np.array_equal(found.rows[0], found.rows[2])
    assert found.digests[0] == found.digests[1]
    whole = compute_features([path], backbone, "whole")
    assert not np.array_equal(whole.rows[0], found.rows[0])  # what lies beside the square counts


def test_ten_pictures_more_cost_ten_pictures(backbone, pictures, monkeypatch):
    decode_image, seen = compute.decode_image, []
    monkeypatch.setattr(
        compute, "decode_image", lambda *given: seen.append(given) or decode_image(*given)
    )
    first = compute_features(pictures[:4], backbone, "whole")
    assert len(seen) == 4
    again = compute_features(pictures, backbone, "whole")
    assert len(seen) == 6
    assert np.array_equal(again.rows[:4], first.rows)
    pictures[0].write_bytes(pictures[5].read_bytes())  # it is known by what is in it
    assert np.array_equal(compute_features(pictures[:1], backbone, "whole").rows, again.rows[5:])
    assert len(seen) == 6
    monkeypatch.setattr(compute, "PREPROCESS_VERSION", compute.PREPROCESS_VERSION + 1)
    compute_features(pictures[:1], backbone, "whole")
    assert len(seen) == 7  # other pixels, other features


def test_what_cannot_be_read_is_told_and_left_out(backbone, pictures, tmp_path):
    broken, gone = tmp_path / "broken.png", tmp_path / "gone.png"
    broken.write_bytes(b"no picture")

    def vanished() -> bytes:
        raise FileNotFoundError(2, "No such file", str(gone))

    found = compute_features([pictures[0], broken, vanished, pictures[1]], backbone, "whole")
    assert sorted(found.unreadable) == [1, 2]
    assert "cannot be read" in found.unreadable[1]
    expected = compute_features(pictures[:2], backbone, "whole").rows
    assert np.array_equal(found.rows, expected)


def test_a_damaged_or_full_store_costs_only_time(backbone, pictures, tmp_path):
    expected = compute_features(pictures[:2], backbone, "whole").rows
    [file] = (tmp_path / "cache" / "features").glob("*.sqlite")
    file.write_bytes(b"not a database" * 1000)
    assert np.array_equal(compute_features(pictures[:2], backbone, "whole").rows, expected)
    closed = FeatureStore("closed")
    closed.close()
    assert closed.find([b"key"]) == {}
    closed.keep([(b"key", expected[0])])


def test_a_store_in_use_is_left_alone(backbone, pictures, tmp_path, monkeypatch):
    monkeypatch.setattr(store, "_SECONDS_TO_WAIT", 0.1)
    expected = compute_features(pictures[:1], backbone, "whole").rows
    [file] = (tmp_path / "cache" / "features").glob("*.sqlite")
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    assert np.array_equal(compute_features(pictures[:1], backbone, "whole").rows, expected)
    other.execute("ROLLBACK")
    assert other.execute("SELECT count(*) FROM features").fetchone() == (1,)
    other.close()


def test_a_cache_that_cannot_be_made_costs_only_time(backbone, pictures, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("IMAGETTE_CACHE_DIR", str(tmp_path / "file" / "below"))
    assert compute_features(pictures[:1], backbone, "whole").rows.shape == (1, 1280)


def test_large_photographs_of_a_phone(backbone):
    content = io.BytesIO()
    Image.effect_noise((4000, 3000), 60).convert("RGB").save(content, "JPEG", quality=80)
    found = compute_features([lambda: content.getvalue()], backbone, "centre")
    assert found.rows.shape == (1, 1280)


def test_what_comes_in_any_order_is_put_in_that_of_the_pictures():
    rows = np.arange(6 * 1280, dtype=np.float16).reshape(6, 1280)
    jobs = [
        (4, [(b"e", rows[4]), (b"f", rows[5])]),
        (2, [(b"", "is no picture."), (b"d", rows[3])]),
        (0, [(b"", "is damaged."), (b"b", rows[1])]),
    ]
    found = gather(6, jobs)
    assert np.array_equal(found.rows, rows[[1, 3, 4, 5]])
    assert found.digests == [b"b", b"d", b"e", b"f"]
    assert list(found.unreadable.items()) == [(0, "is damaged."), (2, "is no picture.")]
