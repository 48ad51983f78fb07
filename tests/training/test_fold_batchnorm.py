"""Folding changes how a network computes, never what."""

import numpy as np
import pytest
import torch

from imagette import build_model
from imagette.models.backend import load_torch_keras
from imagette.training.fold_batchnorm import Folded
from imagette.training.torch_graph import TorchNetwork
from imagette.training.torch_layers import unchanged

keras = load_torch_keras()
layers = keras.layers


def settled(model):
    """The model with normalisations as a training leaves them: statistics of their own."""
    random = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            shape = layer.moving_mean.shape
            layer.moving_mean.assign(random.normal(size=shape))
            layer.moving_variance.assign(random.uniform(0.5, 2, shape))
            for weight in layer.trainable_weights:
                weight.assign(random.uniform(0.5, 1.5, shape))
    return model


def network(*middle, side: int = 8):
    """A settled network of these layers, behind an input of `side` by `side` pixels."""
    ends = layers.Flatten(), layers.Dense(2, name="logits")
    return settled(keras.Sequential([layers.Input((side, side, 3)), *middle, *ends]))


def images(side: int = 32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(256, (4, side, side, 3), generator=generator).float()


def left(folded: Folded, model) -> int:
    """How many normalisations are still computed."""
    steps = {step.key[0]: step for step in folded.steps}
    return sum(
        steps[layer.name].operation is not unchanged
        for layer in model.layers
        if isinstance(layer, layers.BatchNormalization)
    )


@pytest.mark.parametrize(
    ("name", "options", "stay"),
    [
        ("classic-cnn", {}, 0),
        ("sprint", {"widths": [8, 16], "depth": 3, "squeeze": 2}, 0),
        ("vgg", {"depth": 11}, 0),
        ("resnet", {"depth": 20}, 0),
        # Before its first convolutions and after sums there is nothing to fold into.
        ("wide-resnet", {"depth": 10, "width": 1}, 4),
    ],
)
def test_answers_stay_as_they_are(name, options, stay):
    model = settled(build_model(name, **options))
    folded, plain = (kind(model, until="logits") for kind in (Folded, TorchNetwork))
    assert left(folded, model) == stay
    with torch.no_grad():
        expected, found = plain(images()), folded(images())
    size = expected.abs().max()
    assert expected.std(dim=0).max() > 1e-3 * size
    assert (found - expected).abs().max() < 1e-4 * size


def test_into_depthwise_convolutions():
    convolution = layers.DepthwiseConv2D(3, padding="same", use_bias=False)
    model = network(convolution, layers.BatchNormalization(), side=9)
    folded, plain = Folded(model), TorchNetwork(model)
    assert left(folded, model) == 0
    assert torch.allclose(folded(images(9)), plain(images(9)), rtol=1e-5, atol=1e-3)


def test_a_negative_factor_does_not_pass_through_max_pooling():
    convolution = layers.Conv2D(4, 3, padding="same")
    model = network(convolution, layers.MaxPooling2D(), layers.BatchNormalization())
    assert left(Folded(model), model) == 0
    model.layers[2].gamma.assign([1.0, -1.0, 1.0, 1.0])
    folded = Folded(model)
    assert left(folded, model) == 1
    with torch.no_grad():
        assert torch.allclose(folded(images(8)), model(images(8), training=False), atol=1e-3)


@pytest.mark.parametrize("odd", ["shared", "bent", "otherwise used"])
def test_what_cannot_be_folded_is_left(odd):
    inputs = layers.Input((8, 8, 3))
    convolution = layers.Conv2D(3, 3, padding="same", activation="relu" if odd == "bent" else None)
    first = convolution(inputs)
    x = layers.BatchNormalization()(first)
    if odd == "shared":
        x = layers.BatchNormalization()(convolution(x))
    if odd == "otherwise used":
        x = layers.Add()([x, first])
    outputs = layers.Dense(2, name="logits")(layers.GlobalAveragePooling2D()(x))
    model = settled(keras.Model(inputs, outputs))
    folded = Folded(model)
    assert left(folded, model) == (2 if odd == "shared" else 1)
    with torch.no_grad():
        assert torch.allclose(folded(images(8)), model(images(8), training=False), atol=1e-3)


@pytest.mark.parametrize(
    "odd",
    [
        lambda: [layers.Conv2D(5, 3, activation=layers.ReLU())],
        lambda: [layers.Conv2D(5, 3, data_format="channels_first", padding="same")],
        lambda: [layers.Conv2D(5, 3), layers.MaxPooling2D(data_format="channels_first")],
        lambda: [layers.Conv2D(5, 3), layers.MaxPooling2D(padding="same")],
    ],
    ids=["activation layer", "channels first", "pooling channels first", "padded pooling"],
)
def test_layers_with_settings_of_their_own_answer_the_same(odd):
    model = network(*odd(), layers.BatchNormalization())
    with torch.no_grad():
        expected = model(images(8), training=False)
        assert torch.allclose(Folded(model)(images(8)), expected, rtol=1e-4, atol=1e-3)


def test_the_keras_model_is_left_as_it_was():
    model = settled(build_model("sprint", widths=[8]))
    before = [np.array(weight) for weight in model.weights]
    Folded(model)(images())
    assert all(np.array_equal(a, b) for a, b in zip(before, model.weights, strict=True))


def test_what_is_frozen_is_folded_and_the_rest_learns_the_same():
    # The depthwise kernel's gradient is what is left of large ones: how much, the draw decides.
    keras.utils.set_random_seed(0)
    inputs = layers.Input((9, 9, 3))
    x = layers.Conv2D(6, 3, padding="same")(inputs)
    x = layers.BatchNormalization(trainable=False)(x)
    x = layers.DepthwiseConv2D(3, 2, padding="same", use_bias=False)(layers.ReLU(6)(x))
    x = layers.BatchNormalization(trainable=False)(x)
    x = layers.BatchNormalization()(layers.Conv2D(4, 1, use_bias=False)(x))
    x = layers.Dense(2, name="logits")(layers.GlobalAveragePooling2D()(x))
    model = settled(keras.Model(inputs, x))
    given, gradients = images(9) / 255, []
    folded = Folded(model, frozen_only=True)
    assert left(folded, model) == 1
    for one in (TorchNetwork(model), folded):
        one(given, training=True).square().sum().backward()
        gradients.append([weight.value.grad.clone() for weight in model.trainable_weights])
        for weight in model.trainable_weights:
            weight.value.grad = None
    for one, other in zip(*gradients, strict=True):
        assert torch.allclose(one, other, atol=5e-3 * float(one.abs().max()) + 1e-6)
