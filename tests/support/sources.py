"""Data that people bring, and what is said of data that cannot be used."""

from pathlib import Path

import pytest
from PIL import Image

from imagette import ImagetteError, load_dataset


def paint(path: Path, colour: tuple[int, int, int] | str, size: tuple[int, int] = (40, 30)) -> Path:
    """Write a small image of one colour; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)
    return path


def not_opened(source: str | Path, message: str) -> ImagetteError:
    """The error of a dataset that cannot be opened; its problem matches `message`."""
    with pytest.raises(ImagetteError, match=message) as caught:
        load_dataset(source)
    return caught.value
