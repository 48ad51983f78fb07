"""CIFAR-10: finding, downloading, checking and reading it.

Most tests read files of the official format with a few made-up pictures in them; the published
md5 sums and sizes are then replaced by those of the made-up files.
"""

import hashlib
import http.server
import pickle
import tarfile
import threading
from pathlib import Path

import numpy as np
import pytest
from support.sources import not_opened

from imagette import ImagetteError, load_dataset
from imagette.data.sources import cifar

PICTURES = 20


def made_up_file(number: int) -> bytes:
    """A batch file as the official ones are: planes of colour, a pickle with Python 2's names."""
    planes = np.random.default_rng(number).integers(0, 256, (PICTURES, 3072), dtype=np.uint8)
    batch = {b"data": planes, b"labels": [i % 10 for i in range(PICTURES)], b"batch_label": b"x"}
    return pickle.dumps(batch, protocol=3).replace(b"numpy._core.", b"numpy.core.")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of made-up files; nothing else can be found on the machine."""
    folder = tmp_path / "data" / cifar.FOLDER
    folder.mkdir(parents=True)
    sums = {}
    for number, name in enumerate(cifar.MD5):
        content = made_up_file(number)
        (folder / name).write_bytes(content)
        sums[name] = hashlib.md5(content).hexdigest()
    monkeypatch.setattr(cifar, "MD5", sums)
    monkeypatch.setattr(cifar, "IMAGES_PER_FILE", PICTURES)
    monkeypatch.setattr(cifar, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.delenv("IMAGETTE_CIFAR10_DIR", raising=False)
    return folder


def test_pixels_and_labels_are_those_of_the_files(folder):
    dataset = load_dataset("cifar10", folder)
    assert dataset.train.images.shape == (5 * PICTURES, 32, 32, 3)
    assert dataset.train.images.dtype == np.uint8
    planes = pickle.loads(made_up_file(1))[b"data"][7]  # the second train file
    picture = dataset.train.images[PICTURES + 7]
    assert picture[3, 5].tolist() == [planes[c * 1024 + 3 * 32 + 5] for c in range(3)]
    assert dataset.test.labels.tolist() == [i % 10 for i in range(PICTURES)]


@pytest.mark.parametrize(
    "place", ["data_dir", "its parent", "environment", "cache", "keras/datasets"]
)
def test_found_in_each_place(folder, place, tmp_path, monkeypatch):
    data_dir = {"data_dir": folder, "its parent": folder.parent}.get(place)
    if place == "environment":
        monkeypatch.setenv("IMAGETTE_CIFAR10_DIR", str(folder))
    elif data_dir is None:
        (tmp_path / place).mkdir(parents=True)
        folder.rename(tmp_path / place / cifar.FOLDER)
    assert len(load_dataset("cifar10", data_dir).train) == 5 * PICTURES


def test_a_named_folder_without_the_files_is_said(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("IMAGETTE_CIFAR10_DIR", str(folder))
    assert cifar.find_cifar10(tmp_path / "typo") == folder
    assert f"No CIFAR-10 in {tmp_path / 'typo'}" in capsys.readouterr().err


def test_data_dir_comes_before_the_environment(folder, tmp_path, monkeypatch):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "test_batch").write_bytes(b"")
    monkeypatch.setenv("IMAGETTE_CIFAR10_DIR", str(tmp_path / "other"))
    assert cifar.find_cifar10(folder) == folder
    assert cifar.find_cifar10() == tmp_path / "other"


@pytest.mark.parametrize("damage", ["cut", "changed", "missing"])
def test_a_damaged_file_is_named(folder, damage):
    victim = folder / "data_batch_3"
    content = bytearray(victim.read_bytes())
    content[-500] ^= 1
    victim.write_bytes(content if damage == "changed" else content[:-600])
    if damage == "missing":
        victim.unlink()
    with pytest.raises(ImagetteError, match="data_batch_3") as caught:
        load_dataset("cifar10", folder)
    assert "Put the official file in its place" in caught.value.remedy


def test_a_pickle_that_carries_code_does_nothing(folder, tmp_path, monkeypatch):
    trace = tmp_path / "trace"

    class Attack:
        def __reduce__(self):
            return Path.touch, (trace,)

    content = pickle.dumps({b"data": Attack()})
    (folder / "test_batch").write_bytes(content)
    # Even where the sum is right, the unpickler refuses what is not an array.
    monkeypatch.setitem(cifar.MD5, "test_batch", hashlib.md5(content).hexdigest())
    with pytest.raises(pickle.UnpicklingError, match="not an array"):
        load_dataset("cifar10", folder)
    assert not trace.exists()


class Handler(http.server.BaseHTTPRequestHandler):
    """Sends the server's one file, which may be cut short on the way."""

    def do_GET(self):
        self.server.requests += 1
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.server.content)))
        self.end_headers()
        self.wfile.write(self.server.content[: self.server.cut])

    def log_message(self, *_):
        pass


@pytest.fixture
def server(folder, tmp_path, monkeypatch):
    """A server that offers the made-up files, which are no longer on this machine."""
    archive = tmp_path / "archive.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(folder, cifar.FOLDER)
    folder.rename(tmp_path / "gone")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.content, server.cut, server.requests = archive.read_bytes(), None, 0
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/cifar-10-python.tar.gz"
        monkeypatch.setattr(cifar, "URL", url)
        monkeypatch.setattr(cifar, "ARCHIVE_SHA256", hashlib.sha256(server.content).hexdigest())
        yield server
        server.shutdown()


def test_downloaded_once_then_found_in_the_cache(server, tmp_path):
    assert len(load_dataset("cifar10").train) == 5 * PICTURES
    assert len(load_dataset("cifar10").train) == 5 * PICTURES
    assert server.requests == 1
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [cifar.FOLDER]


def test_a_download_cut_short_leaves_nothing_and_starts_again(server, tmp_path):
    server.cut = 5000
    with pytest.raises(ImagetteError) as caught:
        load_dataset("cifar10")
    for way in ("connect to the internet", "--data-dir", "IMAGETTE_CIFAR10_DIR", "cache"):
        assert way in caught.value.remedy
    assert list((tmp_path / "cache").iterdir()) == []
    server.cut = None
    assert len(load_dataset("cifar10").train) == 5 * PICTURES


def test_a_download_with_the_wrong_sum_is_not_unpacked(server, tmp_path, monkeypatch):
    monkeypatch.setattr(cifar, "ARCHIVE_SHA256", "0" * 64)
    not_opened("cifar10", "could not be downloaded")
    assert list((tmp_path / "cache").iterdir()) == []


def test_offline_and_absent(server):
    server.shutdown()
    server.server_close()
    not_opened("cifar10", "not on this machine")


@pytest.mark.slow
def test_the_official_files_fit_in_400_mb(cifar10_dir, peak_memory):
    code = """
import sys, imagette
dataset = imagette.load_dataset('cifar10', sys.argv[1])
# The first test picture is a cat, known to all who ever looked at CIFAR-10.
assert dataset.class_names[dataset.test.labels[0]] == 'cat'
"""
    assert peak_memory(code, cifar10_dir) < 400 * 1024**2
