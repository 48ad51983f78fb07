"""The sample pictures that ship with the package."""

import json
from pathlib import Path

import pytest

import imagette
from imagette.assets import list_samples, samples_for
from imagette.images.open_image import open_image
from imagette.inference.bundle import SHIPPED

FOLDER = Path(imagette.__file__).parent / "assets" / "samples"
ENTRIES = json.loads((FOLDER / "samples.json").read_text(encoding="utf-8"))


def test_the_list_names_every_picture_once():
    assert [entry["file"] for entry in ENTRIES] == list(dict.fromkeys(e["file"] for e in ENTRIES))
    assert {entry["file"] for entry in ENTRIES} == {path.name for path in FOLDER.glob("*.png")}
    assert len(ENTRIES) == 8  # a row of the page, or two of a phone


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["file"])
def test_every_sample_opens_and_is_described_in_both_languages(entry):
    assert set(entry) == {"file", "class", "en", "fr", "alt_en", "alt_fr"}
    assert all(entry[key].strip() for key in entry.keys() - {"class"})
    assert open_image(FOLDER / entry["file"]).to_rgb().size == (320, 320)


@pytest.mark.parametrize("model", SHIPPED)
def test_each_is_answered_rightly_and_strangers_as_none_of_these(model):
    classifier = imagette.Classifier(model)
    samples = samples_for(classifier.class_names, knows_unknown=True)
    assert samples == list_samples()
    strangers = [sample for sample in samples if sample.class_name is None]
    assert strangers
    for sample in samples:
        prediction = classifier.predict(sample.path)
        assert prediction.known is (sample not in strangers), sample.path
        assert prediction.label == sample.class_name or sample in strangers, sample.path


def test_a_model_is_offered_what_it_knows():
    known = [sample.class_name for sample in list_samples() if sample.class_name]
    assert [one.class_name for one in samples_for(known, knows_unknown=False)] == known
    assert [one.class_name for one in samples_for(["cat", "cup"], knows_unknown=True)] == ["cat"]
    assert samples_for(["cardboard", "orange"], knows_unknown=True) == []
