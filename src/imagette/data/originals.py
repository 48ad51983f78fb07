"""The pictures of a dataset as people have them: larger than a network sees them, and where."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imagette.data.data_source import DataSource
from imagette.data.decode import Source, decode_whole
from imagette.errors import ImageError
from imagette.files import cache_folder


class Original(NamedTuple):
    """A picture as it came.

    Attributes:
        pixels: uint8 `(height, width, 3)`, RGB.
        file: where it lies, if it is a file of its own that people know.
    """

    pixels: NDArray[np.uint8]
    file: Path | None


class Originals:
    """Finds the pictures of a dataset by their paths in it.

    Args:
        found: the dataset.
    """

    def __init__(self, found: DataSource) -> None:
        self._sources: dict[str, Source] = {}
        for raw in found.raw_splits.values():
            named = zip(raw.paths or (), raw.images, strict=False)
            # Those in tables of pictures are read from front to back: a few of all over take long.
            self._sources |= {path: one for path, one in named if not callable(one)}
        self._unpacked = cache_folder().resolve()

    def find(self, path: str | None, seen: NDArray[np.uint8], most: int) -> Original:
        """A picture as it came or, where that is not to be had quickly, as a network sees it.

        Args:
            path: what the dataset calls it; None where it comes from no file.
            seen: what a network sees of it, uint8 `(height, width, 3)`.
            most: how many pixels its longer side has at most; a larger one is shrunk.
        """
        source = seen if path is None else self._sources.get(path, seen)
        try:
            image = Image.fromarray(seen) if source is seen else decode_whole(source, most)
        except (ImageError, OSError):
            image, source = Image.fromarray(seen), seen
        image.thumbnail((most, most), Image.Resampling.LANCZOS)
        return Original(np.asarray(image), self._file(source))

    def _file(self, source: Source) -> Path | None:
        """None for a picture in an archive: what it was unpacked to is nobody's file."""
        if not isinstance(source, Path):
            return None
        file = source.resolve()
        return None if file.is_relative_to(self._unpacked) else file
