"""What ships with the package: the model, and pictures to try it on."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

SAMPLES = Path(__file__).parent / "samples"


@dataclass(frozen=True)
class Sample:
    """A picture to try.

    Attributes:
        path: the PNG file.
        class_name: the class of CIFAR-10 that it shows, in English; None where it shows none.
        name: what it shows, in a few words, by language (`en`, `fr`).
        description: what it shows, for those who do not see it, by language.
    """

    path: Path
    class_name: str | None
    name: dict[str, str]
    description: dict[str, str]


def list_samples() -> list[Sample]:
    """The sample pictures, in the order to show them; an empty list where none ship."""
    index = SAMPLES / "samples.json"
    if not index.is_file():
        return []
    return [
        Sample(
            path=SAMPLES / entry["file"],
            class_name=entry["class"],
            name={"en": entry["en"], "fr": entry["fr"]},
            description={"en": entry["alt_en"], "fr": entry["alt_fr"]},
        )
        for entry in json.loads(index.read_text(encoding="utf-8"))
    ]


def samples_for(class_names: Collection[str], knows_unknown: bool) -> list[Sample]:
    """The sample pictures that a model can be asked about.

    Args:
        class_names: what it knows, in English. What shows none of CIFAR-10's classes is for a model
            that knows all of theirs: it may be one of the classes of any other.
        knows_unknown: whether it can tell what shows none of them.
    """
    samples = list_samples()
    shown = {sample.class_name for sample in samples} - {None}
    strangers = knows_unknown and shown <= set(class_names)
    return [
        one for one in samples if (one.class_name in class_names if one.class_name else strangers)
    ]
