"""What ships with the package: the model, and pictures to try it on."""

import json
from dataclasses import dataclass
from pathlib import Path

SAMPLES = Path(__file__).parent / "samples"


@dataclass(frozen=True)
class Sample:
    """A picture to try.

    Attributes:
        path: the PNG file.
        name: what it shows, in a few words, by language (`en`, `fr`).
        description: what it shows, for those who do not see it, by language.
    """

    path: Path
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
            name={"en": entry["en"], "fr": entry["fr"]},
            description={"en": entry["alt_en"], "fr": entry["alt_fr"]},
        )
        for entry in json.loads(index.read_text(encoding="utf-8"))
    ]
