"""The sample pictures that ship with the package."""

import json
from pathlib import Path

import pytest

import imagette
from imagette.images.open_image import open_image

FOLDER = Path(imagette.__file__).parent / "assets" / "samples"
ENTRIES = json.loads((FOLDER / "samples.json").read_text(encoding="utf-8"))


def test_the_list_names_every_picture_once():
    assert [entry["file"] for entry in ENTRIES] == list(dict.fromkeys(e["file"] for e in ENTRIES))
    assert {entry["file"] for entry in ENTRIES} == {path.name for path in FOLDER.glob("*.png")}


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["file"])
def test_every_sample_opens_and_is_described_in_both_languages(entry):
    assert set(entry) == {"file", "en", "fr", "alt_en", "alt_fr"}
    assert all(text.strip() for text in entry.values())
    assert open_image(FOLDER / entry["file"]).to_rgb().size == (320, 320)


def test_samples_are_named_rightly_or_called_unknown():
    classifier = imagette.Classifier()
    wrong = set()
    for entry in ENTRIES:
        prediction = classifier.predict(FOLDER / entry["file"])
        if prediction.label != Path(entry["file"]).stem and prediction.known:
            wrong.add(entry["file"])
    assert wrong <= {"number.png"}  # the seven passes for an airplane, as the README says
