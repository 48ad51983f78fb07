"""What a network says of images, in batches: its loss, its logits, the output of any layer."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from imagette.images.batches import default_batch_size
from imagette.training import distributed
from imagette.training.hardware import choose_device
from imagette.training.torch_graph import TorchNetwork

if TYPE_CHECKING:
    import keras

EVALUATION_BATCH = 500

Network = Callable[..., Tensor]
"""From images `(n, height, width, channels)` and `training=` to float32 logits."""


def measure(
    network: Network, images: Tensor, labels: Tensor, precision: torch.dtype
) -> tuple[float, float]:
    """Mean cross-entropy (nats) and top-1 accuracy (fraction), computed in `precision`.

    Images are uint8 `(n, height, width, channels)`, labels int64 `(n,)`. Processes that share a
    training share this, too.
    """
    loss, right, count = 0.0, 0, len(labels)
    mine = distributed.part(count)
    images, labels = images[mine], labels[mine]
    with torch.no_grad():
        size = default_batch_size(EVALUATION_BATCH, *images.shape[1:3])
        for batch, truth in zip(images.split(size), labels.split(size), strict=True):
            if not len(batch):
                continue
            logits = network(batch.to(labels.device, precision), training=False)
            loss += float(functional.cross_entropy(logits, truth, reduction="sum"))
            right += int((logits.argmax(1) == truth).sum())
    of_all, right_of_all = distributed.add_up([loss, right], labels.device)
    return of_all / count, right_of_all / count


def compute_logits(model: "keras.Model", images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """A network's logits for uint8 images, float32 `(n, classes)`, computed in float32."""
    return compute_outputs(model, images, "logits", torch.float32)


def compute_outputs(
    model: "keras.Model",
    images: NDArray[np.uint8],
    layer: str,
    precision: torch.dtype,
) -> NDArray[np.float32]:
    """What a layer, by name, of a network in use gives for uint8 images, float32 `(n, …)`.

    It is computed in `precision`.
    """
    network, device = TorchNetwork(model, until=layer), choose_device()
    size = default_batch_size(EVALUATION_BATCH, *images.shape[1:3])
    with torch.no_grad():
        outputs = [
            network(batch.to(device, precision)).cpu()
            for batch in torch.from_numpy(images).split(size)
        ]
    return torch.cat(outputs).numpy()
