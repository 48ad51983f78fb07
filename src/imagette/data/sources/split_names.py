"""What people call the splits of a dataset, in folders, files and tables alike."""

import re
import unicodedata
from typing import Literal

SplitName = Literal["train", "validation", "test"]

_WORDS: dict[str, SplitName] = {
    **dict.fromkeys(("train", "training", "trn", "trainset", "trainval"), "train"),
    **dict.fromkeys(("entrainement", "apprentissage"), "train"),
    **dict.fromkeys(
        ("val", "valid", "validation", "validate", "validating", "valset", "validset"),
        "validation",
    ),
    **dict.fromkeys(("dev", "devset", "eval", "evaluation"), "validation"),
    **dict.fromkeys(("test", "tests", "testing", "tst", "testset", "holdout"), "test"),
}


def split_named(text: str) -> SplitName | None:
    """Which split a name means, or None where it means none, or several.

    One of its words has to be a split's: `Train`, `training_set`, `seg_train`, `images-val`,
    `testSet`, `test1` and `VALIDATION (2)` are understood, in any capitals, accents left out.
    """
    found = {_WORDS[word] for word in _words_of(text) if word in _WORDS}
    return found.pop() if len(found) == 1 else None


def is_plain(text: str) -> bool:
    """Whether a name is nothing but the name of a split, as `train` is and `train_masks` is not."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return plain.strip().lower() in _WORDS


def is_split_alone(text: str) -> bool:
    """Whether a name means a split and says nothing of what is in it: `test_images`, not `test
    tube`."""
    rest = [word for word in _words_of(text) if word not in _WORDS]
    return split_named(text) not in (None, "train") and all(word in _NOTHING for word in rest)


_NOTHING = ("data", "dataset", "folder", "image", "images", "img", "imgs", "pictures", "set")


def _words_of(text: str) -> list[str]:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", plain).lower())
