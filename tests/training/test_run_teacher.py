"""Runs whose network learns from another one's answers."""

import dataclasses

import numpy as np
import pytest

import imagette
from imagette.models.backend import load_keras
from imagette.training import trainer

pytestmark = pytest.mark.usefixtures("plain_plots")


@pytest.fixture
def small_sprint():
    return imagette.Recipe.load("sprint-70").change(model_options={"widths": [8, 16]}, epochs=1)


@pytest.fixture
def ready_bundle(digits_run, give_bundle):
    """Trainings need not make their bundle."""
    give_bundle(digits_run.folder / "model.onnx")


def test_a_run_is_handed_its_teacher(
    digits, digits_run, small_sprint, ready_bundle, tmp_path, monkeypatch
):
    """What a teacher's answers change is tested with the loop."""
    given, train_epochs = [], trainer.train_epochs

    def watched(*arguments):
        given.append(arguments[-1])
        return train_epochs(*arguments)

    monkeypatch.setattr("imagette.training.trainer.train_epochs", watched)
    taught = small_sprint.change(distillation={"teacher": str(digits_run.folder)})
    run = imagette.train(digits, taught, name="student", runs_dir=tmp_path)
    [teacher] = given
    learned = load_keras().saving.load_model(digits_run.folder / "model.keras")
    for mine, theirs in zip(teacher.get_weights(), learned.get_weights(), strict=True):
        assert np.array_equal(mine, theirs)
    assert imagette.Recipe.load(run.folder / "recipe.toml") == taught


def test_a_teacher_must_be_there_and_fit(digits, digits_run, small_sprint, tmp_path):
    renamed = dataclasses.replace(digits, class_names=tuple("abcdefghij"))
    for data, teacher, message in (
        (digits, "nowhere", "no trained network in nowhere"),
        (renamed, str(digits_run.folder), "cannot teach"),
    ):
        recipe = small_sprint.change(distillation={"teacher": teacher})
        with pytest.raises(imagette.ImagetteError, match=message):
            imagette.train(data, recipe, runs_dir=tmp_path)
    assert not list(tmp_path.iterdir())
