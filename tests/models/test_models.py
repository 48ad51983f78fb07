"""The networks of the registry keep their conventions."""

import subprocess
import sys

import numpy as np
import pytest

from imagette import ImagetteError, build_model
from imagette.models import MODELS


def test_the_seed_network_is_the_classic_one():
    model = build_model("seed-cnn")
    assert model.count_params() == 167_562
    assert model.input_shape == (None, 32, 32, 3)


@pytest.mark.parametrize("name", MODELS)
class TestEveryModel:
    def test_layouts_are_twins(self, name, digits):
        last = build_model(name)
        first = build_model(name, data_format="channels_first")
        first.set_weights(last.get_weights())
        pictures = digits.test.images[:16].astype(np.float32)
        expected = last.predict(pictures, verbose=0)
        twin = first.predict(pictures.transpose(0, 3, 1, 2), verbose=0)
        assert np.abs(expected - twin).max() < 1e-6
        assert expected.std(axis=0).max() > 1e-4  # it does look at the pictures

    def test_gives_probabilities_of_any_number_of_classes(self, name):
        model = build_model(name, classes=7)
        output = model.predict(np.full((2, 32, 32, 3), 128, np.float32), verbose=0)
        assert output.shape == (2, 7)
        assert np.allclose(output.sum(axis=1), 1, atol=1e-6)
        assert [layer.name for layer in model.layers[-2:]] == ["logits", "probabilities"]

    def test_global_layout_is_untouched(self, name):
        import keras

        before = keras.config.image_data_format()
        build_model(name, data_format="channels_first")
        assert keras.config.image_data_format() == before

    def test_holds_stock_layers_only(self, name):
        for layer in build_model(name).layers:
            assert type(layer).__module__.startswith("keras.src.layers")


def test_unknown_network():
    with pytest.raises(ImagetteError, match="no network called 'alexnet'"):
        build_model("alexnet")


def test_another_backend_gets_a_clear_error_where_pytorch_is_needed():
    code = (
        "import os; os.environ['KERAS_BACKEND'] = 'numpy'\n"
        "from imagette.models.backend import load_torch_keras\n"
        "try: load_torch_keras()\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert answer.stdout.startswith("ImagetteError Keras is set to run on numpy")
    assert "KERAS_BACKEND=torch" in answer.stdout
