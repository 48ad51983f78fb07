"""Making the backbone's graph, as a program: PyTorch, which reads the weights, takes hundreds of
megabytes of memory that only the end of a process gives back.

    python -m imagette.features.make_backbone VARIANT PATH
"""

import sys
from pathlib import Path

from imagette.features.backbone_graph import build_backbone
from imagette.files import write_bytes
from imagette.models.imagenet_weights import load_imagenet


def make_backbone(variant: int, path: Path) -> None:
    """Write the graph of variant 0, 1 or 2.

    Raises:
        ImagetteError: the weights are not installed or are damaged, or the file cannot be written.
    """
    proto = build_backbone(load_imagenet(variant).convolutions, variant)
    write_bytes(path, proto.SerializeToString())


if __name__ == "__main__":
    make_backbone(int(sys.argv[1]), Path(sys.argv[2]))
