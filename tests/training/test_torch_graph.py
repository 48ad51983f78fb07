"""What PyTorch runs is what Keras defined: same answers, same gradients, same statistics."""

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from imagette import Recipe
from imagette.models import APPLICATIONS, MODELS, build_model
from imagette.models.backend import load_torch_keras
from imagette.models.sprint import whiten
from imagette.training.recipe import presets
from imagette.training.torch_graph import TorchNetwork

keras = load_torch_keras()
from keras import layers  # noqa: E402


@pytest.fixture(autouse=True)
def same_weights_every_time():
    keras.utils.set_random_seed(0)


# Drawn at random, a network so deep and narrow tells no picture from another.
_LEARNED = {"efficientnet-lite": {"weights": "imagenet"}}
VARIANTS = [(name, _LEARNED.get(name, {})) for name in MODELS if name not in APPLICATIONS] + [
    ("sprint", {"widths": [8, 16], "depth": 3}),
    ("sprint", {"widths": [8], "whitening": False, "depth": 1}),
]


def images(count: int = 8, side: int = 32) -> torch.Tensor:
    pixels = np.random.default_rng(0).integers(0, 256, (count, side, side, 3))
    return torch.from_numpy(pixels.astype(np.float32))


def shake(model: keras.Model) -> None:
    """Weights and statistics as after a training: no zeros and ones that would hide a mistake."""
    random = np.random.default_rng(1)
    for weight in model.weights:
        scale = 0.1 if not np.array(weight).any() else 0.0
        shaken = np.array(weight) * random.uniform(0.8, 1.2, weight.shape)
        weight.assign((shaken + random.normal(0, scale, weight.shape)).astype(np.float32))


def step(model: keras.Model, network, given: torch.Tensor):
    """Outputs, gradients and weights after a training step, the model as it was before."""
    before = model.get_weights()
    torch.manual_seed(0)
    outputs = network(given, training=True)
    (outputs * torch.arange(outputs.numel()).view(outputs.shape)).sum().backward()
    gradients = [np.array(weight.value.grad) for weight in model.trainable_weights]
    after = model.get_weights()
    for weight in model.trainable_weights:
        weight.value.grad = None
    model.set_weights(before)
    return outputs.detach().numpy(), gradients, after


def assert_same_step(model: keras.Model, given: torch.Tensor, atol: float = 1e-4) -> None:
    expected, found = step(model, model, given), step(model, TorchNetwork(model), given)
    assert np.allclose(expected[0], found[0], atol=atol)
    for one, other in zip(expected[1] + expected[2], found[1] + found[2], strict=True):
        assert np.allclose(one, other, atol=atol * max(1.0, np.abs(one).max()))


def without_bends(model: keras.Model) -> keras.Model:
    """The model with smooth layers in place of ReLU and MaxPooling2D.

    Where those two bend, the last bit decides on a gradient, and a deep network makes much of it.
    """

    def smooth(layer):
        config = layer.get_config()
        if config.get("activation") == "relu":
            config["activation"] = "silu"
        pools = isinstance(layer, layers.MaxPooling2D)
        return (layers.AveragePooling2D if pools else type(layer)).from_config(config)

    twin = keras.models.clone_model(model, clone_function=smooth)
    twin.set_weights(model.get_weights())
    return twin


@pytest.mark.slow
@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_every_network_runs_in_pytorch_whole_and_computes_the_same(name, options):
    model = build_model(name, **options)
    for layer in model.layers:
        if isinstance(layer, layers.Dropout):
            layer.rate = 0.0  # two libraries never drop the same units
    whiten(model, images(64).numpy().astype(np.uint8))
    shake(model)
    for _ in range(5):  # statistics that fit, so that the softmax is not saturated
        model(images(), training=True)
    network = TorchNetwork(model)
    assert not [s for s in network.steps if "keras_operation" in s.operation.__qualname__]
    expected = model(images(), training=False)
    assert expected.std(dim=0).max() > 1e-3  # it does look at the pictures
    assert torch.allclose(network(images()), expected, atol=1e-6)
    if name != "efficientnet-lite":  # 49 normalisations in a row enlarge what was rounded
        assert_same_step(without_bends(model), images())


@pytest.mark.parametrize("stride", [1, 2])
def test_depthwise_convolutions_learn_the_same(stride):
    inputs = layers.Input((9, 9, 3))
    x = layers.Conv2D(6, 1, use_bias=False)(inputs)
    x = layers.DepthwiseConv2D(5, stride, padding="same", activation="silu")(x)
    x = layers.GlobalAveragePooling2D()(layers.BatchNormalization()(x))
    x = layers.Dense(10, name="logits")(x)
    model = keras.Model(inputs, layers.Activation("softmax", name="probabilities")(x))
    assert_same_step(model, images(side=9) / 255, atol=1e-3)
    multiplied = layers.DepthwiseConv2D(3, depth_multiplier=2)
    twice = keras.Sequential([layers.Input((9, 9, 3)), multiplied])
    assert torch.allclose(TorchNetwork(twice)(images(side=9)), twice(images(side=9)))


def test_relu6_and_others():
    for layer in (layers.ReLU(6.0), layers.ReLU(), layers.ReLU(threshold=2.0)):
        model = keras.Sequential([layers.Input((4, 4, 3)), layers.Rescaling(0.1, -8), layer])
        assert torch.equal(TorchNetwork(model)(images(side=4)), model(images(side=4)))


def test_what_pooling_drops_is_not_computed():
    """A convolution of 15×15 outputs computes 14×14 of them."""
    inputs = layers.Input((15, 15, 4))
    x = layers.Conv2D(8, 3, padding="same", use_bias=False)(inputs)
    model = keras.Model(inputs, layers.MaxPooling2D()(x))
    with FlopCounterMode(display=False) as counter:
        TorchNetwork(model)(torch.zeros(1, 15, 15, 4))
    assert counter.get_total_flops() == 2 * 14 * 14 * 8 * 4 * 9


def test_the_networks_parameters_are_the_keras_models_own():
    model = build_model("sprint", widths=[8])
    network = TorchNetwork(model, until="logits")
    before = network(images())
    model.get_layer("logits").kernel.assign(model.get_layer("logits").kernel * 2)
    assert torch.allclose(network(images()), before * 2, atol=1e-5)


def test_smaller_pictures_and_half_precision_run_too():
    model = build_model("sprint", widths=[8, 16])
    network = TorchNetwork(model)
    assert network(images(side=24)).shape == (8, 10)
    exact, rounded = network(images()), network(images().bfloat16())
    assert rounded.dtype == torch.float32
    assert torch.allclose(exact, rounded, atol=0.02)


def odd_layers() -> keras.Model:
    """Settings that differ between the libraries, and layers that PyTorch has no call for."""
    inputs = layers.Input((17, 14, 4))
    x = layers.Conv2D(8, 3, strides=2, padding="same", activation="gelu")(inputs)
    x = layers.Conv2D(8, (2, 5), padding="same", groups=2, activation="silu")(x)
    x = layers.Conv2D(8, 3, dilation_rate=2, padding="same", activation="elu")(x)
    x = layers.BatchNormalization(momentum=0.3)(x)
    side = layers.SeparableConv2D(8, 3, padding="same")(x)
    x = layers.Add()([x, side])
    x = layers.Concatenate()([x, layers.LayerNormalization()(x)])
    x = layers.AveragePooling2D(2, strides=1)(x)
    x = layers.MaxPooling2D(2, padding="same")(x)
    whole = layers.GlobalAveragePooling2D(keepdims=True)(x)
    x = layers.Add()([x, layers.GlobalMaxPooling2D()(x)])  # 4 and 2 dimensions
    x = layers.Multiply()([x, layers.Dense(16, activation="sigmoid")(whole)])
    x = layers.Flatten()(x)
    x = layers.BatchNormalization(scale=False, center=False)(x)
    return keras.Model(inputs, layers.Dense(5, activation="softmax")(x))


def pooled_convolutions() -> keras.Model:
    """Pooling that drops odd rows and columns of convolutions, and some that needs them."""
    inputs = layers.Input((22, 23, 4))
    x = layers.Conv2D(8, 3, padding="same", activation="relu")(inputs)
    x = layers.MaxPooling2D()(x)
    x = layers.Conv2D(8, 3, use_bias=False)(x)  # 9×9
    x = layers.AveragePooling2D(2)(x)
    x = layers.ZeroPadding2D(((1, 0), (2, 1)))(x)
    x = used_twice = layers.Conv2D(8, 2, padding="same")(x)
    strided = layers.Conv2D(8, 3, strides=2, padding="same")(inputs)  # 11×12
    ends = [used_twice, *(layers.MaxPooling2D(2)(one) for one in (x, strided))]
    for pool in (
        layers.MaxPooling2D(3),
        layers.MaxPooling2D(2, strides=1),
        layers.AveragePooling2D(2, padding="same"),
        layers.MaxPooling2D(2, data_format="channels_first"),
    ):
        nine = layers.Conv2D(7, 3)(layers.Cropping2D(((0, 11), (0, 12)))(inputs))  # 9×9
        ends.append(pool(nine))
    return keras.Model(inputs, layers.Concatenate()([layers.Flatten()(end) for end in ends]))


def shared_layer() -> keras.Model:
    inputs = layers.Input((8, 8, 4))
    twice = layers.Conv2D(4, 3, padding="same", activation="relu")
    x = layers.GlobalMaxPooling2D()(twice(twice(inputs)))
    return keras.Model(inputs, layers.Dense(3)(x))


def attention_and_arithmetic() -> keras.Model:
    inputs = layers.Input((4, 4, 4))
    x = layers.Reshape((16, 4))(inputs)
    x = x + layers.MultiHeadAttention(2, 4)(query=x, value=x)
    return keras.Model(inputs, layers.Dense(3)(layers.GlobalAveragePooling1D()(x)))


def sequences() -> keras.Model:
    """Attention called with two tensors in order, and normalisation of three dimensions."""
    inputs = layers.Input((4, 4, 4))
    x = layers.Reshape((4, 16))(inputs)  # as many positions as another layer has channels
    x = layers.Conv1D(4, 3, padding="same")(x)
    x = layers.BatchNormalization(momentum=0.5)(x)
    x = layers.MultiHeadAttention(2, 4)(x, x)
    return keras.Model(inputs, layers.Dense(3)(layers.GlobalAveragePooling1D()(x)))


def renormalised() -> keras.Model:
    inputs = layers.Input((4, 4, 4))
    x = layers.BatchNormalization(renorm=True, renorm_clipping={"rmax": 1.0})(inputs)
    return keras.Model(inputs, layers.Flatten()(x))


def nested() -> keras.Model:
    inner = keras.Sequential([layers.Input((8, 8, 4)), layers.Conv2D(4, 3), layers.ReLU(0.5)])
    return keras.Sequential([inner, layers.Flatten(), layers.Dense(3)])


def nested_functional() -> keras.Model:
    """A network called twice, which ends in another one, as what is exported to `.h5` may do."""
    inner, inputs = shared_layer(), layers.Input((8, 8, 4))
    x = layers.Concatenate()([inner(layers.Rescaling(2.0)(inputs)), inner(inputs)])
    end = layers.Input((6,))
    return keras.Model(inputs, keras.Model(end, layers.Dense(3)(end))(x))


def channels_first() -> keras.Model:
    first = {"data_format": "channels_first"}
    return keras.Sequential(
        [
            layers.Input((4, 8, 8)), layers.Permute((2, 3, 1)), layers.Permute((3, 1, 2)),
            layers.BatchNormalization(axis=1),
            layers.ZeroPadding2D(((1, 0), (2, 3)), **first), layers.GlobalAveragePooling2D(**first),
        ]
    )  # fmt: skip


@pytest.mark.parametrize(
    "make",
    [
        odd_layers, pooled_convolutions, shared_layer, attention_and_arithmetic, sequences,
        renormalised, nested, nested_functional, channels_first,
    ],
)  # fmt: skip
def test_other_graphs_compute_the_same_too(make):
    model = make()
    shake(model)
    torch.manual_seed(0)
    given = torch.rand(6, *model.input_shape[1:]) * 2 - 1
    assert torch.allclose(TorchNetwork(model)(given), model(given, training=False), atol=1e-5)
    assert_same_step(model, given)


def test_it_can_be_captured_whole():
    """What a GPU compiles: no step may fall back to Python."""
    model = build_model("sprint", widths=[8, 16])
    network = TorchNetwork(model, until="logits")
    captured = torch.compile(network, fullgraph=True, backend="eager")
    assert torch.allclose(captured(images()), network(images()), atol=1e-5)
    expected, found = (step(model, one, images()) for one in (network, captured))
    for one, other in zip(expected[2], found[2], strict=True):
        assert np.allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("name", presets())
def test_the_network_of_every_preset_computes_its_small_images(name):
    recipe = Recipe.load(name)
    network = TorchNetwork(build_model(recipe.model, **recipe.model_options))
    for device in ("cpu", "cuda"):
        plan = recipe.resolve(device, 45_000)
        side = plan.progressive_size if plan.progressive_share else 32
        with torch.no_grad():
            assert network(images(2, side)).shape == (2, 10)
