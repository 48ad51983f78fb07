"""Normalisation done by the convolution before it: fewer steps, the same answers.

A BatchNormalization is a factor and an offset for each channel once it is trained, so the
convolution before it can have them in its kernel and its bias (Jacob et al., *Quantization and
Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference*, 2018, section 3.2).
Max pooling between the two makes no difference as long as no factor is negative.
"""

from collections import Counter
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from imagette.training.torch_graph import Key, Step, TorchNetwork, flat
from imagette.training.torch_layers import Operation, convolution, halves, is_stock, unchanged

if TYPE_CHECKING:
    import keras


class Folded(TorchNetwork):
    """A network from its Input to one of its layers, normalisations folded where possible.

    All are folded, into copies of the weights: what the Keras model learns later, this network does
    not. With `frozen_only`, it is those that are frozen, so that the network can be trained: they
    are constants, and each convolution learns through them as if they came after it.
    """

    def __init__(
        self, model: "keras.Model", until: str | None = None, frozen_only: bool = False
    ) -> None:
        super().__init__(model, until)
        layers = {layer.name: layer for layer in model.layers}
        self.steps = _fold(self.steps, layers, frozen_only)


def _fold(steps: list[Step], layers: dict[str, Any], frozen_only: bool) -> list[Step]:
    by_key = {step.key: step for step in steps}
    uses = Counter(source for step in steps for source in flat(step.inputs))
    # A layer that is called twice has one kernel for both calls.
    calls = Counter(step.key[0] for step in steps)

    def before(key: Key, *kinds: str) -> Key | None:
        """The step before this one, if it is of those kinds and nothing else takes its output."""
        sources = list(flat(by_key[key].inputs))
        if len(sources) != 1 or uses[sources[0]] > 1 or calls[sources[0][0]] > 1:
            return None
        return sources[0] if is_stock(layers[sources[0][0]], *kinds) else None

    operations: dict[Key, Operation] = {}
    for key in by_key:
        normalisation: Any = layers.get(key[0])
        if not is_stock(normalisation, "BatchNormalization") or normalisation.renorm:
            continue
        if normalisation.axis not in (-1, 3) or (frozen_only and normalisation.trainable):
            continue
        factor, offset = _factor_and_offset(normalisation)
        pooling = before(key, "MaxPooling2D") if bool((factor >= 0).all()) else None
        found = before(pooling or key, "Conv2D", "DepthwiseConv2D")
        if not found or not _can_take(layers[found[0]], factor):
            continue
        even = pooling is not None and halves(layers[pooling[0]])
        merge = partial(_merge, layers[found[0]], factor, offset)
        weights = merge if frozen_only else partial(_same, *(one.detach() for one in merge()))
        if folded := convolution(layers[found[0]], even, weights):
            operations |= {found: folded, key: unchanged}
    return [replace(step, operation=operations.get(step.key, step.operation)) for step in steps]


def _can_take(layer: Any, factor: Tensor) -> bool:
    from keras import activations

    # With channels first, the axes that are normalised may be others than the filters.
    channels = layer.kernel.shape[2 if is_stock(layer, "DepthwiseConv2D") else 3]
    return layer.activation is activations.linear and len(factor) == channels


def _factor_and_offset(normalisation: Any) -> tuple[Tensor, Tensor]:
    mean, variance = normalisation.moving_mean.value, normalisation.moving_variance.value
    factor = torch.rsqrt(variance + normalisation.epsilon)
    if normalisation.scale:
        factor = factor * normalisation.gamma.value
    beta = normalisation.beta.value if normalisation.center else 0.0
    return factor.detach(), (beta - mean * factor).detach()


def _merge(layer: Any, factor: Tensor, offset: Tensor) -> tuple[Tensor, Tensor]:
    """Kernel and bias of the convolution with the factor and the offset for each channel."""
    # The output channels are its last axis, or the last but one.
    scale = factor[:, None] if is_stock(layer, "DepthwiseConv2D") else factor
    bias = layer.bias.value * factor if layer.use_bias else 0.0
    return layer.kernel.value * scale, bias + offset


def _same(kernel: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    return kernel, bias
