"""Networks of keras.applications: built, given weights, trained and bundled like any other."""

from dataclasses import replace

import numpy as np
import pytest

from imagette import Classifier, ImagetteError, Recipe, build_model, train
from imagette.models.applications import APPLICATIONS
from imagette.models.backend import load_torch_keras
from imagette.training.keras_files import load_keras_file

pytestmark = pytest.mark.usefixtures("plain_plots")


@pytest.mark.parametrize("name", APPLICATIONS)
def test_it_keeps_the_conventions(name):
    model = build_model(name, classes=7)
    assert model.input_shape == (None, 32, 32, 3)
    assert [layer.name for layer in model.layers[-2:]] == ["logits", "probabilities"]
    # Pixels 0–255 are what it takes: its own layers bring them to what its weights learned.
    kinds = {type(layer).__name__ for layer in model.layers}
    assert kinds & {"Rescaling", "Normalization"} or "prestem" in model.layers[1].name


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Weights of the right shapes, drawn at random, as a file of Keras."""
    keras = load_torch_keras()
    keras.utils.set_random_seed(3)
    base = keras.applications.MobileNetV3Small(
        include_top=False, weights=None, input_shape=(32, 32, 3), include_preprocessing=True
    )
    path = tmp_path_factory.mktemp("weights") / "small.weights.h5"
    base.save_weights(path)
    return base, path


@pytest.mark.filterwarnings("ignore:Skipping nested container")  # of the weights that do not fit
def test_weights_from_a_file(weights):
    base, path = weights
    model = build_model("mobilenetv3", classes=3, weights=str(path))
    kernels = {layer.name: layer.get_weights() for layer in base.layers if layer.weights}
    assert len(kernels) > 30
    for name, expected in kernels.items():
        for one, other in zip(model.get_layer(name).get_weights(), expected, strict=True):
            assert np.array_equal(one, other)
    with pytest.raises(ImagetteError, match=r"small\.weights\.h5 of EfficientNetV2B0"):
        build_model("efficientnetv2", weights=str(path))


@pytest.mark.slow
def test_it_is_trained_and_bundled(weights, digits, tmp_path):
    recipe = Recipe.load("finetune").change(
        model="mobilenetv3", init_from=str(weights[1]), image_size=32, epochs=1, batch_size=20
    )
    # Few to test on as well, because of each it would be measured what decides mistakes.
    few, tested = digits.train.take(np.arange(60)), digits.test.take(np.arange(40))
    data = replace(digits, train=few, test=tested, source="few")
    run = train(data, recipe, name="small", runs_dir=tmp_path)
    model = load_keras_file(run.folder / "model.keras")
    # The bundle's answers are calibrated further; which class is likeliest stays.
    expected = model.predict(tested.images.astype(np.float32), verbose=0)
    found = Classifier(run.folder).predict_proba(tested.images)
    assert (found.argmax(axis=1) == expected.argmax(axis=1)).mean() > 0.95
