"""Data parallelism: a training that several processes share, each on its own cores or GPU.

Each process takes its part of every batch, and PyTorch's DistributedDataParallel averages their
gradients before the optimizers see them. The loss, normalisation and random numbers are those of
the whole batch (but for dropout with a `noise_shape`): given the same weights, a step gives the
same gradients however many processes share it, to within the rounding of float32.

What becomes of rounding depends on the network. Where nothing is normalised over the batch, losses
stay the same to 1e-4. Normalisation and max-pooling make rounding grow: which of two nearly equal
pixels is the largest decides where the gradient goes. There, the weights that two processes learn
differ from one's as those of one process do between one and two threads.

The processes are a process group of `torch.distributed` that the caller has made. Without one, or
in a group of one, nothing here does anything.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn import functional

_batch: list[int] = []
"""The size of the batch that is being learned, over all processes."""


def size() -> int:
    """How many processes share the training."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def part(count: int) -> slice:
    """Which of so many images are this process's."""
    if size() == 1:
        return slice(0, count)
    rank = dist.get_rank()
    return slice(count * rank // size(), count * (rank + 1) // size())


@contextmanager
def batch_of(count: int) -> Iterator[None]:
    """While a batch goes through the network; `count` is its size over all processes."""
    _batch.append(count)
    try:
        yield
    finally:
        _batch.pop()


def add_up(values: Sequence[float], device: torch.device) -> list[float]:
    """The sums of numbers over all processes."""
    if size() == 1:
        return list(values)
    sums = torch.tensor(values, dtype=torch.float64, device=device)
    dist.all_reduce(sums)
    return sums.tolist()


def whole(of_part: Tensor, count: int) -> Tensor:
    """Put together what each process computed for its part of a batch of `count`.

    Gradients flow to this process's part alone.
    """
    if size() == 1:
        return of_part
    mine = part(count)
    rows = of_part.new_zeros((count, *of_part.shape[1:]))
    rows[mine] = of_part.detach()
    dist.all_reduce(rows)
    return torch.cat([rows[: mine.start], of_part, rows[mine.stop :]])


def backward(loss: Tensor) -> None:
    """Compute the gradients of the loss of the whole batch, which each process has.

    Each process computes those of its part. Their sum is wanted; DistributedDataParallel takes
    their mean.
    """
    (loss * size()).backward()


def same_everywhere(tensors: Sequence[Tensor]) -> None:
    """Copy the first process's values to all: processors of different kinds round differently."""
    if size() > 1:
        with torch.no_grad():
            for tensor in tensors:
                dist.broadcast(tensor, src=0)


def share(network: Callable[..., Tensor], parameters: Sequence[Tensor]) -> Callable[..., Tensor]:
    """The network in training, with gradients averaged over all processes."""
    if size() == 1:
        return network
    return torch.nn.parallel.DistributedDataParallel(_Module(network, parameters))


class _Module(torch.nn.Module):
    def __init__(self, network: Callable[..., Tensor], parameters: Sequence[Tensor]) -> None:
        super().__init__()
        self.network = network
        self.learned = torch.nn.ParameterList(parameters)

    def forward(self, images: Tensor, training: bool) -> Tensor:
        return self.network(images, training=training)


def dropout(inputs: Tensor, rate: float, training: bool) -> Tensor:
    """As PyTorch's, with the mask that one process would draw for the whole batch."""
    if size() == 1 or not training:
        return functional.dropout(inputs, rate, training)
    count = _batch[-1]
    kept = inputs.new_empty((count, *inputs.shape[1:])).bernoulli_(1 - rate)
    return inputs * kept[part(count)].div_(1 - rate)


def batch_norm(
    inputs: Tensor, gamma: Tensor | None, beta: Tensor | None, epsilon: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Normalise by the mean and variance of the whole batch.

    Args:
        inputs: this process's part, `(n, channels, ...)`.
        gamma: `(channels,)`, or None.
        beta: likewise.
        epsilon: added to the variance.

    Returns:
        The normalised images, and the mean and the (biased) variance of all, `(channels,)`.
    """
    return _BatchNorm.apply(inputs, gamma, beta, epsilon)  # type: ignore[no-untyped-call]


class _BatchNorm(torch.autograd.Function):
    """As PyTorch's SyncBatchNorm, which runs only on GPUs."""

    @staticmethod
    def forward(
        ctx: Any, inputs: Tensor, gamma: Tensor | None, beta: Tensor | None, epsilon: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        # Buffers in float32 make PyTorch compute in float32; a momentum of 0 leaves them alone.
        buffers = [inputs.new_zeros(inputs.shape[1], dtype=torch.float32) for _ in range(2)]
        mean, variance = torch.ops.aten.batch_norm_update_stats(inputs, *buffers, 0.0)
        count = inputs.numel() // inputs.shape[1]
        mean, squares = mean.double(), variance.double() + mean.double() ** 2
        sums = torch.cat([count * mean, count * squares, mean.new_tensor([count])])
        dist.all_reduce(sums)
        total = sums[-1]
        mean, squares = (sums[:-1] / total).chunk(2)
        variance = (squares - mean**2).clamp_min(0).float()
        mean = mean.float()
        ctx.save_for_backward(inputs, gamma, mean, torch.rsqrt(variance + epsilon), total)
        ctx.epsilon = epsilon
        ctx.mark_non_differentiable(mean, variance)
        outputs = functional.batch_norm(inputs, mean, variance, gamma, beta, False, 0.0, epsilon)
        return outputs, mean, variance

    @staticmethod
    def backward(ctx: Any, grad: Tensor, *_: Any) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        inputs, gamma, mean, scale, total = ctx.saved_tensors
        gamma = torch.ones_like(mean) if gamma is None else gamma
        # Sums over this process's part: of the gradient times what was normalised, and of it.
        _, of_gamma, of_beta = torch.ops.aten.native_batch_norm_backward(
            grad, inputs, gamma, None, None, mean, scale, True, ctx.epsilon, [False, True, True]
        )
        means = torch.stack([of_gamma, of_beta]).double()
        dist.all_reduce(means)
        with_normalised, of_all = (means / total).float()
        factor = scale * gamma
        slope = -factor * scale * with_normalised
        offset = -factor * of_all - slope * mean

        def each(channels: Tensor) -> Tensor:
            return channels.view(-1, *[1] * (inputs.ndim - 2))

        changed = torch.addcmul(each(offset), inputs, each(slope))
        changed = torch.addcmul(changed, grad, each(factor)).to(inputs.dtype)
        learned = (of_gamma if ctx.needs_input_grad[1] else None,
                   of_beta if ctx.needs_input_grad[2] else None)  # fmt: skip
        return changed, *learned, None
