"""What `GET /dataset` answers: the classes of CIFAR-10, counted, with examples."""

from pathlib import Path

import numpy as np

from imagette.reports.html import pixels_url
from imagette.serving.once import Once
from imagette.serving.schemas.model import DatasetAnswer, DatasetClass

_EXAMPLES = 10

_once = Once()


def find_cifar10() -> Path | None:
    """The folder of CIFAR-10, where it is on this machine and what reads it is installed."""
    # Imported when asked for: what finds it comes with imagette[train].
    try:
        from imagette.data.sources import cifar

        return cifar.find_cifar10()
    except ModuleNotFoundError:
        return None


def describe_cifar10(folder: Path, seconds: float) -> bytes:
    """The answer, computed by whoever asks first.

    Args:
        folder: with its files.
        seconds: how long to wait for whoever computes it.

    Returns:
        JSON in UTF-8.

    Raises:
        ImagetteError: a file is damaged or missing, or the time is up.
    """
    return _once.get(f"cifar10 {folder.resolve()}", lambda: _describe(folder), seconds)


def _describe(folder: Path) -> bytes:
    from imagette.data.sources import cifar

    [test_file] = cifar.TEST_FILES
    planes, labels = cifar.load_file(folder / test_file)
    places = [np.flatnonzero(labels == index) for index in range(len(cifar.CLASS_NAMES))]
    examples = [[*map(pixels_url, cifar.to_images(planes[found[:_EXAMPLES]]))] for found in places]
    del planes
    # One file after the other, as the pictures of all would take 180 MB to count their labels.
    train = np.zeros(len(places), np.int64)
    for name in cifar.TRAIN_FILES:
        train += np.bincount(cifar.load_file(folder / name)[1], minlength=len(places))
    classes = [
        DatasetClass(
            name=name,
            name_fr=cifar.CLASS_NAMES_FR[index],
            train=int(train[index]),
            test=len(places[index]),
            examples=examples[index],
        )
        for index, name in enumerate(cifar.CLASS_NAMES)
    ]
    answer = DatasetAnswer(name="cifar10", classes=classes, height=32, width=32)
    return answer.model_dump_json().encode()
