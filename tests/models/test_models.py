"""The networks of the registry keep their conventions."""

import re
import subprocess
import sys

import numpy as np
import pytest

from imagette import ImagetteError, build_model
from imagette.models import APPLICATIONS, MODELS, count_flops, count_parameters, list_models
from imagette.models.backend import load_keras
from imagette.models.layers import convolve
from imagette.models.resnet import _subsample
from imagette.models.sprint import whiten

OURS = [name for name in MODELS if name not in APPLICATIONS]


@pytest.mark.parametrize("name", OURS)
class TestEveryModel:
    def test_gives_probabilities_of_any_number_of_classes(self, name):
        model = build_model(name, classes=7)
        output = model.predict(np.full((2, 32, 32, 3), 128, np.float32), verbose=0)
        assert output.shape == (2, 7)
        assert np.allclose(output.sum(axis=1), 1, atol=1e-6)
        assert [layer.name for layer in model.layers[-2:]] == ["logits", "probabilities"]

    @pytest.mark.slow
    def test_is_channels_last_whatever_the_global_setting(self, name):
        keras = load_keras()
        keras.config.set_image_data_format("channels_first")
        try:
            assert build_model(name).input_shape == (None, 32, 32, 3)
            assert keras.config.image_data_format() == "channels_first"
        finally:
            keras.config.set_image_data_format("channels_last")

    def test_holds_stock_layers_only(self, name):
        for layer in build_model(name).layers:
            assert type(layer).__module__.startswith("keras.src.layers")


def test_sprint_has_the_widths_and_the_depth_it_is_asked_for():
    model = build_model("sprint", widths=[8, 16], depth=3)
    kernels = [weight.shape for weight in model.trainable_weights if len(weight.shape) == 4]
    assert [kernel[-1] for kernel in kernels] == [8, 8, 8, 16, 16, 16]
    # 3×3 kernels, a bias for each normalised channel, and the last layer.
    assert sum(np.prod(w.shape) for w in model.trainable_weights) == (
        9 * (24 * 8 + 2 * 8 * 8 + 8 * 16 + 2 * 16 * 16) + 3 * 8 + 3 * 16 + 16 * 10
    )
    assert build_model("sprint", whitening=False).get_layer(index=2).name != "whitening"


@pytest.mark.parametrize("side", [8, 9, 33, 64])
def test_sprint_takes_pictures_of_many_sizes(side):
    model = build_model("sprint", input_shape=(side, side + 3, 3), widths=[8, 8, 8])
    pictures = np.zeros((2, side, side + 3, 3), np.float32)
    assert model.predict(pictures, verbose=0).shape == (2, 10)


def whitened(model, pictures):
    """What the whitening convolution of a sprint makes of pictures."""
    first = load_keras().Model(model.inputs, model.get_layer("whitening").output)
    return first.predict(pictures.astype(np.float32), verbose=0)


def test_whitening_takes_correlations_out():
    model = build_model("sprint", widths=[8])
    random = np.random.default_rng(0)
    # Smooth pictures in one hue: neighbours and colours tell nearly the same.
    coarse = random.integers(0, 200, (300, 8, 8, 1)).repeat(4, axis=1).repeat(4, axis=2)
    pictures = (coarse + random.integers(0, 50, (300, 32, 32, 3))).astype(np.uint8)
    whiten(model, pictures)
    responses = whitened(model, pictures).reshape(-1, 24)
    assert np.allclose(responses[:, :12], -responses[:, 12:], atol=1e-3)
    products = responses[:, :12].T @ responses[:, :12] / len(responses)
    assert np.allclose(products, np.eye(12), atol=0.05)


def test_whitening_of_grey_pictures_has_no_dead_channel(digits):
    model = build_model("sprint", widths=[8])
    whiten(model, digits.train.images)
    responses = whitened(model, digits.train.images[:200])
    deviations = np.sqrt((responses**2).mean((0, 1, 2)))
    assert np.allclose(deviations, 1, atol=0.15)


def test_sprint_begins_by_passing_its_input_through():
    model = build_model("sprint", widths=[24], depth=1)
    kernel = np.array(next(w for w in model.trainable_weights if len(w.shape) == 4))
    assert np.array_equal(kernel[1, 1], np.eye(24))
    assert np.count_nonzero(kernel) == 24


@pytest.mark.parametrize(
    ("name", "options", "parameters"),
    [
        ("classic-cnn", {}, 167_562),
        ("vgg", {}, 14_728_266),
        ("vgg", {"depth": 11}, 9_231_114),
        ("resnet", {}, 269_722),
        ("resnet", {"depth": 32}, 464_154),
        ("resnet", {"depth": 56}, 853_018),
        ("resnet", {"depth": 18}, 11_173_962),
        ("wide-resnet", {}, 2_748_890),
    ],
)
def test_networks_have_the_parameters_that_are_known_of_them(name, options, parameters):
    assert count_parameters(build_model(name, **options)) == parameters


def test_the_largest_wide_resnet_is_the_papers():
    model = build_model("wide-resnet", depth=28, width=10, dropout=0.3)
    assert count_parameters(model) == 36_479_194
    assert sum(type(layer).__name__ == "Dropout" for layer in model.layers) == 12
    # Of each group, the shortcut and the convolutions from the narrower group, then the others.
    multiplications = (
        32 * 32 * (3 * 9 * 16 + 160 * (16 + 9 * 16 + 7 * 9 * 160))
        + 16 * 16 * 320 * (160 + 9 * 160 + 7 * 9 * 320)
        + 8 * 8 * 640 * (320 + 9 * 320 + 7 * 9 * 640)
        + 640 * 10
    )
    assert count_flops(model) == 2 * multiplications  # 5.2 billion


@pytest.mark.parametrize("name", ["vgg", "resnet", "wide-resnet"])
@pytest.mark.parametrize("side", [1, 8, 21])
def test_well_known_networks_take_pictures_of_many_sizes(name, side):
    smallest = {"vgg": {"depth": 11}, "wide-resnet": {"depth": 10, "width": 1}}.get(name, {})
    model = build_model(name, input_shape=(side, side + 3, 3), **smallest)
    assert model.predict(np.zeros((2, side, side + 3, 3)), verbose=0).shape == (2, 10)


def test_resnet_18_has_four_groups_that_halve():
    model = build_model("resnet", depth=18)
    sums = [layer.output.shape[1:] for layer in model.layers if type(layer).__name__ == "Add"]
    groups = [(32, 32, 64), (16, 16, 128), (8, 8, 256), (4, 4, 512)]
    assert sums == [group for group in groups for _ in range(2)]


@pytest.mark.parametrize("size", [(8, 6), (7, 9)])
def test_shortcuts_and_convolutions_that_halve_look_at_the_same_pixels(size):
    keras = load_keras()
    inputs = keras.Input((*size, 2))
    halving = keras.Model(inputs, [_subsample(inputs, 5), convolve(inputs, 2, stride=2)])
    kernel = np.zeros((3, 3, 2, 2), np.float32)
    kernel[1, 1] = np.eye(2)
    halving.set_weights([kernel])
    pictures = np.random.default_rng(0).random((3, *size, 2), np.float32)
    shortcut, convolved = halving.predict(pictures, verbose=0)
    assert np.array_equal(shortcut[..., :2], pictures[:, ::2, ::2])
    assert not shortcut[..., 2:].any()
    assert shortcut.shape[-1] == 5
    assert np.allclose(convolved, pictures[:, ::2, ::2])


def test_running_statistics_are_no_parameters_but_frozen_weights_are():
    model = build_model("sprint", widths=[8], depth=1)
    # Whitening, one convolution, its normalisation without scale, the last layer.
    assert count_parameters(model) == 24 * 12 + 9 * 24 * 8 + 8 + 8 * 10
    assert model.count_params() == count_parameters(model) + 2 * 8


def test_flops_are_counted():
    # Two convolutions and two dense layers, by hand: outputs × inputs of each × 2.
    classic = 2 * (30 * 30 * 32 * 27 + 13 * 13 * 64 * 288 + 64 * 2304 + 640)
    assert count_flops(build_model("classic-cnn")) == classic
    # The first convolution, then groups of six that cost the same, but for the narrower inputs
    # of two of them; no shortcut counts.
    one = 32 * 32 * 16 * 9 * 16
    resnet = 2 * (32 * 32 * 16 * 27 + 18 * one - 2 * one // 2 + 640)
    assert count_flops(build_model("resnet")) == resnet  # 41 million multiplications


@pytest.mark.slow
def test_networks_are_listed_with_their_arguments():
    rows = {row["name"]: row for row in list_models()}
    assert list(rows) == list(MODELS)
    assert rows["classic-cnn"]["parameters"] == 167_562
    assert rows["sprint"]["options"] == {
        "widths": (64, 128, 256), "depth": 2, "whitening": True, "squeeze": 0,
        "statistics_momentum": 0.6,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("sprint", {"widths": [0]}),
        ("sprint", {"widths": "many"}),
        ("sprint", {"widths": []}),
        ("sprint", {"depth": 0}),
        ("vgg", {"depth": 19}),
        ("vgg", {"depth": "deep"}),
        ("resnet", {"depth": 50}),  # 6n + 2, but another network goes by that name
        ("resnet", {"depth": 21}),
        ("wide-resnet", {"depth": 20}),
        ("wide-resnet", {"depth": 4}),
        ("wide-resnet", {"width": 0}),
        ("wide-resnet", {"width": 0.55}),
        ("wide-resnet", {"dropout": 2}),
        ("wide-resnet", {"dropout": -0.1}),
    ],
)
def test_wrong_arguments_are_named(name, options):
    ((option, value),) = options.items()
    message = re.escape(f"cannot be built with {option} = {value}")
    with pytest.raises(ImagetteError, match=message):
        build_model(name, **options)


def test_unknown_networks_and_arguments():
    with pytest.raises(ImagetteError, match="no network called 'alexnet'"):
        build_model("alexnet")
    with pytest.raises(ImagetteError, match="no argument 'width'"):
        build_model("sprint", width=[8])


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
