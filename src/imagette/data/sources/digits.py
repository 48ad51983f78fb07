"""The 1,797 handwritten digits that scikit-learn carries: real data that needs no download.

Alpaydin & Kaynak, *Optical Recognition of Handwritten Digits*, UCI Machine Learning Repository,
1998 (its test set). 8×8 greys of 0–16, brought to 32×32 RGB.
"""

import numpy as np

from imagette.data.dataset import Split
from imagette.data.sources.built_in import BuiltIn
from imagette.images.open_image import to_pixels

CLASS_NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
CLASS_NAMES_FR = ("zéro", "un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf")


def open_digits() -> BuiltIn:
    """The digits: 1,437 to train on, a fixed stratified fifth (360) as test."""
    return BuiltIn(
        "digits",
        CLASS_NAMES,
        total=1797,
        read=_read,
        class_names_fr=CLASS_NAMES_FR,
        licence="CC BY 4.0 (UCI Machine Learning Repository)",
    )


def _read() -> tuple[Split, Split]:
    from sklearn import datasets
    from sklearn.model_selection import train_test_split

    digits = datasets.load_digits()
    greys = np.rint(digits.images * (255 / 16)).astype(np.uint8)
    images = np.stack([to_pixels(grey, 32, 32) for grey in greys])
    everything = Split(images, digits.target.astype(np.int64))
    train, test = train_test_split(
        np.arange(len(everything)), test_size=0.2, random_state=0, stratify=everything.labels
    )  # the same for everyone, whatever the seed of a training
    return everything.take(np.sort(train)), everything.take(np.sort(test))
