"""Pictures that are decoded when they are asked for: a few of many, such as the worst mistakes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagette.data.decode import Source, decode_image
from imagette.images.views import ViewName


class OnDemand:
    """Stands where an array of pictures does, and is indexed like one.

    Args:
        sources: the pictures.
        size: the side in pixels that each is brought to.
        view: what of each picture.
    """

    dtype = np.dtype(np.uint8)
    ndim = 4

    def __init__(self, sources: Sequence[Source], size: int, view: ViewName) -> None:
        self.sources = sources
        self.view = view
        self.shape = (len(sources), size, size, 3)

    def __len__(self) -> int:
        return len(self.sources)

    def at(self, places: NDArray[np.int64]) -> "OnDemand":
        """Those at some places, still to be decoded."""
        return OnDemand([self.sources[place] for place in places], self.shape[1], self.view)

    def __getitem__(self, which: Any) -> NDArray[np.uint8]:
        places = np.arange(len(self))[which]
        found = [
            decode_image(self.sources[place], self.shape[1], self.view) for place in places.flat
        ]
        return np.array(found, np.uint8).reshape(*places.shape, *self.shape[1:])
