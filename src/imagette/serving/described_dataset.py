"""What `GET /dataset` answers: what the model learned from, as its bundle tells it.

A bundle carries counts and a few pictures of each class. The models that ship carry no pictures of
CIFAR-10, whose licence nobody knows: they are shown where its folder is on the server's machine.
"""

import json
from pathlib import Path

import numpy as np

from imagette.inference.bundle import BundleMetadata
from imagette.reports.html import pixels_url
from imagette.serving.once import Once
from imagette.serving.schemas.model import DatasetAnswer, DatasetClass

_EXAMPLES = 10

_once = Once()


def describe_dataset(metadata: BundleMetadata, seconds: float) -> bytes | None:
    """The answer about a model; None where nothing is known of what it learned from.

    Args:
        metadata: of its bundle.
        seconds: how long to wait for whoever reads CIFAR-10's pictures.

    Returns:
        JSON in UTF-8.

    Raises:
        ImagetteError: CIFAR-10's file is damaged, or the time is up.
    """
    split, examples = metadata.sample_split, _urls(metadata)
    if not split and metadata.dataset == "cifar10" and (folder := find_cifar10()):
        found = _once.get(f"cifar10 {folder.resolve()}", lambda: _read_examples(folder), seconds)
        split, examples = "test", json.loads(found)
    if not split and not metadata.counts:
        return None
    counts = metadata.counts
    classes = [
        DatasetClass(
            name=name,
            name_fr=metadata.class_names_fr[place],
            examples=examples[place],
            **{split: each[place] for split, each in counts.items()},
        )
        for place, name in enumerate(metadata.class_names)
    ]
    answer = DatasetAnswer(name=metadata.dataset, classes=classes, examples_of=split or None)
    return answer.model_dump_json().encode()


def _urls(metadata: BundleMetadata) -> list[list[str]]:
    samples = metadata.samples or ((),) * len(metadata.class_names)
    return [[f"data:image/jpeg;base64,{one}" for one in each] for each in samples]


def find_cifar10() -> Path | None:
    """The folder of CIFAR-10, where it is on this machine and what reads it is installed."""
    # Imported when asked for: what finds it comes with imagette[train].
    try:
        from imagette.data.sources import cifar

        return cifar.find_cifar10()
    except ModuleNotFoundError:
        return None


def _read_examples(folder: Path) -> bytes:
    """The first test pictures of each class, as data URLs."""
    from imagette.data.sources import cifar

    [file] = cifar.TEST_FILES
    planes, labels = cifar.load_file(folder / file)
    places = [np.flatnonzero(labels == index) for index in range(len(cifar.CLASS_NAMES))]
    examples = [[*map(pixels_url, cifar.to_images(planes[found[:_EXAMPLES]]))] for found in places]
    return json.dumps(examples).encode()
