"""Downloads of Teachable Machine, and class names beside a Keras file."""

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from support.keras_models import classic_model

from imagette import Classifier, ImagetteError
from imagette.training.export import export
from imagette.training.keras_files import load_keras_file

MODEL = Path(__file__).parent / "keras2/files/teachable.h5"


@pytest.fixture(scope="module")
def answers():
    """Two pictures, and what the model answers to them in −1…1."""
    images = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), np.uint8)
    return images, load_keras_file(MODEL).predict(images.astype(np.float32) / 127.5 - 1, verbose=0)


def download(folder, labels, packed):
    """A folder or a zip as Teachable Machine gives it."""
    folder.mkdir()
    shutil.copy(MODEL, folder / "keras_model.h5")
    (folder / "labels.txt").write_text(labels, "utf-8")
    if not packed:
        return folder
    with zipfile.ZipFile(folder.with_suffix(".zip"), "w") as archive:
        archive.writestr("__MACOSX/._keras_model.h5", b"x")
        for file in folder.iterdir():
            archive.write(file, file.name)
    shutil.rmtree(folder)
    return folder.with_suffix(".zip")


@pytest.mark.parametrize("packed", [True, False])
def test_a_download_of_teachable_machine_becomes_a_bundle(tmp_path, answers, packed):
    path = download(tmp_path / "converted_keras", "0 Ginkgo\n1 Érable\n2 Oak tree\n", packed)
    exported = export(path, "onnx")
    assert "Ginkgo, Érable, Oak tree" in " ".join(exported.notes)
    assert "−1…1" in exported.notes[0]
    assert "--pixels" not in " ".join(exported.notes)
    assert exported.path.parent == (tmp_path if packed else path)
    bundle = Classifier(exported.path)
    assert bundle.metadata.class_names == ("Ginkgo", "Érable", "Oak tree")
    images, expected = answers
    assert np.abs(bundle.predict_proba(images) - expected).max() < 1e-4


def test_names_that_do_not_fit_are_refused_and_named_ones_win(tmp_path):
    path = download(tmp_path / "converted_keras", "0 Ginkgo\n1 Oak\n", packed=True)
    with pytest.raises(ImagetteError, match=r"labels\.txt names 2 classes, .* has 3 outputs"):
        export(path, "onnx")
    exported = export(path, "onnx", classes=["a", "b", "c"])
    assert Classifier(exported.path).metadata.class_names == ("a", "b", "c")


def test_names_beside_a_keras_file_are_taken_and_nothing_else_is(tmp_path):
    classic_model().save(tmp_path / "m.keras")
    names = [f"class {number}" for number in range(10)]
    (tmp_path / "labels.txt").write_text("\ufeff" + "\r\n".join(names) + "\r\n", "utf-8")
    with pytest.raises(ImagetteError, match="--pixels"):  # which it does not take for −1…1
        export(tmp_path / "m.keras", "onnx")
    exported = export(tmp_path / "m.keras", "onnx", pixels=1)
    assert Classifier(exported.path).metadata.class_names == tuple(names)
    assert exported.notes == (f"Class names from labels.txt: {', '.join(names)}.",)
