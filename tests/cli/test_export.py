"""`imagette export` of models from elsewhere, as people type it."""

import shutil

import numpy as np
from support.command_line import imagette_here
from support.onnx_models import answers_of, onnx_classifier, scale

from imagette import Classifier
from imagette.training.foreign_models.compare import sample_pictures


def test_a_model_from_elsewhere_becomes_a_bundle_that_predicts(tmp_path):
    softmax = [("Softmax", [], {"axis": 1})]
    path = onnx_classifier(tmp_path / "theirs.onnx", back=softmax, layout="open", size="side")
    (tmp_path / "labels.txt").write_text("tench, Tinca tinca\n\ngoldfish\nray\n", encoding="utf-8")
    command = ["export", "theirs.onnx", "--pixels", "-1..1", "--classes", "labels.txt"]
    asked = imagette_here(*command, cwd=tmp_path)
    assert asked.returncode == 1
    assert "--layout nchw" in asked.stderr
    done = imagette_here(*command, "--layout", "nchw", "--image-size", "32", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "theirs-bundle.onnx\n"), done.stderr
    classifier = Classifier(tmp_path / "theirs-bundle.onnx")
    assert classifier.class_names == ("tench, Tinca tinca", "goldfish", "ray")
    pictures = sample_pictures(32, 32)
    own = answers_of(path, (pictures / np.float32(127.5) - 1).transpose(0, 3, 1, 2).copy())
    assert np.abs(classifier.predict_proba(pictures) - own).max() < 1e-3


def test_what_was_taken_for_granted_is_said(tmp_path):
    onnx_classifier(tmp_path / "m.onnx", front=scale(1 / 255), classes=2)
    done = imagette_here("export", "m.onnx", "--classes", "cat, dog", cwd=tmp_path)
    assert "pixels in 0–255 (choose others with --pixels)" in done.stderr
    (tmp_path / "x.txt").write_bytes(b"")
    refused = imagette_here("predict", "x.txt", "--model", "m.onnx", cwd=tmp_path)
    assert "imagette export m.onnx --classes cat,dog,ship" in refused.stderr
    said = imagette_here("export", "m-bundle.onnx", cwd=tmp_path).stderr
    assert "is a bundle already" in said


def test_a_file_of_numbered_names_is_read_as_such(tmp_path):
    onnx_classifier(tmp_path / "m.onnx", front=scale(1 / 255))
    (tmp_path / "names.txt").write_text("0 cat\n2 ship\n1 dog\n", encoding="utf-8")
    done = imagette_here("export", "m.onnx", "--classes", "names.txt", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert Classifier(tmp_path / "m-bundle.onnx").class_names == ("cat", "dog", "ship")
    absent = imagette_here("export", "m.onnx", "--classes", "absent.txt", cwd=tmp_path)
    assert "There is no file absent.txt" in absent.stderr


def test_a_run_is_exported_without_a_word_on_where_to(digits_run, tmp_path):
    """Beside what it holds, and over nothing."""
    run = tmp_path / "run"
    shutil.copytree(digits_run.folder, run)
    for options, name in (
        (["--format", "keras"], "model.keras"),
        (["--format", "keras", "--pixels", "1"], "model-2.keras"),
        (["--format", "h5"], "model.h5"),
        (["--format", "h5"], "model-2.h5"),
        (["--quantize", "weights"], "model-8-bit.onnx"),
    ):
        done = imagette_here("export", run, *options)
        assert (done.returncode, done.stdout) == (0, f"{run / name}\n"), done.stderr
        assert (run / name).is_file()
