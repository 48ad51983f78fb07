"""Pictures that are decoded when they are asked for: a few of many, such as the worst mistakes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagette.data.decode import Source, decode_source
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
        if places.ndim == 0:
            return self._decode(int(places))
        found = [self._decode(int(place)) for place in places]
        return np.stack(found) if found else np.empty((0, *self.shape[1:]), np.uint8)

    def _decode(self, place: int) -> NDArray[np.uint8]:
        return decode_source(self.sources[place], self.shape[1], self.view)
