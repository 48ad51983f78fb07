"""CIFAR-10: 60,000 images of 32×32 pixels in ten classes.

Krizhevsky, *Learning Multiple Layers of Features from Tiny Images*, 2009. The official files are
pickles, which may carry code, so each is checked against its published md5 sum before it is
opened, and then opened with an unpickler that knows nothing but arrays.
"""

import hashlib
import os
import pickle
import shutil
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagette.data.cache import cache_folder, keras_folder
from imagette.data.dataset import Split
from imagette.data.sources.built_in import BuiltIn
from imagette.errors import ImagetteError
from imagette.terminal import tell

CLASS_NAMES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"
)  # fmt: skip
CLASS_NAMES_FR = (
    "avion", "voiture", "oiseau", "chat", "cerf", "chien", "grenouille", "cheval", "bateau",
    "camion",
)  # fmt: skip

URL = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
ARCHIVE_SHA256 = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
FOLDER = "cifar-10-batches-py"
"""The folder inside the archive, and what it is called wherever it is unpacked."""

TRAIN_FILES = tuple(f"data_batch_{number}" for number in range(1, 6))
TEST_FILES = ("test_batch",)
MD5 = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
}
IMAGES_PER_FILE = 10_000


def open_cifar10(data_dir: str | Path | None = None) -> BuiltIn:
    """CIFAR-10, which is found on this machine, or downloaded, when its images are asked for.

    Looked for, in this order: `data_dir`, the folder named by the environment variable
    `IMAGETTE_CIFAR10_DIR`, the user's cache, Keras' cache; then downloaded into the user's cache.
    An `ImagetteError` then says that a file is damaged or missing, or that the download failed.
    """

    def read() -> tuple[Split, Split]:
        folder = find_cifar10(data_dir) or download_cifar10(cache_folder())
        return load_split(folder, TRAIN_FILES), load_split(folder, TEST_FILES)

    return BuiltIn(
        "cifar10",
        CLASS_NAMES,
        total=len(MD5) * IMAGES_PER_FILE,
        read=read,
        class_names_fr=CLASS_NAMES_FR,
        licence="CIFAR-10 (Krizhevsky, 2009), published for research without an explicit licence",
    )


def find_cifar10(data_dir: str | Path | None = None) -> Path | None:
    """The first place that holds any of CIFAR-10's files, or None."""
    environment = os.environ.get("IMAGETTE_CIFAR10_DIR")
    named = [Path(place).expanduser() for place in (data_dir, environment) if place]
    for place in [*named, cache_folder(), *_keras_folders()]:
        for folder in (place, place / FOLDER):
            if any((folder / name).is_file() for name in MD5):
                return folder
        if place in named:
            tell(f"No CIFAR-10 in {place}; looking elsewhere.")
    return None


def _keras_folders() -> list[Path]:
    """Where Keras' own `keras.datasets.cifar10` leaves the files; versions differ."""
    names = ("", f"{FOLDER}-target", f"{FOLDER}-target_extracted")
    return [keras_folder() / "datasets" / name for name in names]


def download_cifar10(cache: Path) -> Path:
    """Download the archive and unpack it into `cache`, all of it or nothing.

    Returns:
        The folder with the files, now inside `cache`.

    Raises:
        ImagetteError: the download failed; says the three ways to provide the data.
    """
    import pooch
    import requests

    downloader = pooch.HTTPDownloader(progressbar=True, timeout=30)
    try:
        pooch.get_logger().setLevel("WARNING")
        archive = pooch.retrieve(URL, f"sha256:{ARCHIVE_SHA256}", path=cache, downloader=downloader)
        folder = _unpack(Path(archive), cache)
    # requests' errors are OSErrors; pooch raises ValueError where the checksum is wrong.
    except (OSError, ValueError, tarfile.TarError) as error:
        unreachable = isinstance(error, requests.ConnectionError | requests.Timeout)
        reason = "it cannot be reached, or broke off" if unreachable else error
        raise ImagetteError(
            f"CIFAR-10 is not on this machine and could not be downloaded from {URL}: {reason}.",
            "Provide it in one of three ways: connect to the internet and run this again;"
            f" unpack cifar-10-python.tar.gz and name its folder {FOLDER} with --data-dir or with"
            f" the environment variable IMAGETTE_CIFAR10_DIR; or put that folder into {cache}.",
        ) from error
    Path(archive).unlink()
    return folder


def _unpack(archive: Path, cache: Path) -> Path:
    """Unpack beside the final place, then move there in one step."""
    with tempfile.TemporaryDirectory(dir=cache) as temporary:
        with tarfile.open(archive) as tar:
            tar.extractall(temporary, filter="data")
        shutil.rmtree(cache / FOLDER, ignore_errors=True)
        return (Path(temporary) / FOLDER).rename(cache / FOLDER)


def load_split(folder: Path, names: tuple[str, ...]) -> Split:
    """Load some of the files, straight into one uint8 array.

    Raises:
        ImagetteError: a file is damaged or missing.
    """
    images = np.empty((len(names) * IMAGES_PER_FILE, 32, 32, 3), np.uint8)
    labels = np.empty(len(images), np.int64)
    for number, name in enumerate(names):
        planes, found = load_file(folder / name)
        rows = slice(number * IMAGES_PER_FILE, (number + 1) * IMAGES_PER_FILE)
        images[rows] = to_images(planes)
        labels[rows] = found
    return Split(images, labels)


def to_images(planes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Images as they lie in a file, `(n, 3072)`, each its red plane, then its green one, then its
    blue one, as `(n, 32, 32, 3)`."""
    return planes.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)


def load_file(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Load one of the files, in little more memory than its images take, 31 MB.

    Returns:
        The images as they lie there (see `to_images`), and their labels `(n,)`.

    Raises:
        ImagetteError: it is damaged or missing.
    """
    remedy = (
        "Put the official file in its place, or move that folder away so that it is downloaded"
        " again."
    )
    try:
        with path.open("rb") as file:
            md5 = hashlib.file_digest(file, _new_md5).hexdigest()
            file.seek(0)
            batch = _ArraysOnly(file, encoding="bytes").load() if md5 == MD5[path.name] else None
    except OSError as error:
        raise ImagetteError(f"{path} cannot be read ({error.strerror}).", remedy) from error
    if batch is None:
        raise ImagetteError(
            f"{path} is not the official CIFAR-10 file: its md5 sum is {md5} and should be"
            f" {MD5[path.name]}; it was cut short or changed.",
            remedy,
        )
    return batch[b"data"], np.array(batch[b"labels"], np.int64)


def _new_md5() -> Any:
    return hashlib.md5(usedforsecurity=False)


def _reconstruct_array(*_: object) -> NDArray:
    """What numpy's pickles call first: an empty array, which their state then fills."""
    return np.ndarray.__new__(np.ndarray, (0,), "b")


class _ArraysOnly(pickle.Unpickler):
    """Opens nothing but the arrays, strings and numbers that the official files hold."""

    _ALLOWED = {  # noqa: RUF012
        ("numpy.core.multiarray", "_reconstruct"): _reconstruct_array,
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
    }

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self._ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"{module}.{name} is not an array") from None
