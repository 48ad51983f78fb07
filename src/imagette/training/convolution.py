"""A convolution whose weights' gradient is computed faster for small pictures.

The gradient of a kernel is a sum over all positions of all pictures. In bfloat16 on a CPU, oneDNN
adds them up 32 at a time along the width of one picture: at a width of 7 most of its arithmetic
goes into nothing, at 3 nearly all. Laid side by side, with a column of zeros between them that no
kernel reaches across, pictures make rows long enough, and the sum is the same.
"""

from typing import Any

import torch
from torch import Tensor

LONG_ENOUGH = 32
"""Positions that oneDNN's kernels for bfloat16 add up at once."""

WIDEST = 8
"""Above this width the rearranging costs more than it brings (measured at 11 and 15)."""


def gains(inputs: Tensor, kernel: Tensor, strides: Any, dilation: Any, groups: int) -> bool:
    """Whether `SmallConvolution` computes this convolution, and faster than PyTorch does."""
    return (
        inputs.device.type == "cpu"
        and inputs.dtype == torch.bfloat16
        and inputs.shape[3] <= WIDEST
        and tuple(kernel.shape[2:]) == (3, 3)
        and tuple(strides) == (1, 1)
        and tuple(dilation) == (1, 1)
        and groups == 1
    )


class SmallConvolution(torch.autograd.Function):
    """A 3×3 convolution with a margin of 1, whose backward pass lays pictures side by side."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, kernel: Tensor) -> Tensor:  # type: ignore[override]
        """inputs `(batch, in, height, width)`, kernel `(out, in, 3, 3)`, both channels-last."""
        ctx.save_for_backward(inputs, kernel)
        return torch.conv2d(inputs, kernel, padding=1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:  # type: ignore[override]
        inputs, kernel = ctx.saved_tensors
        for_inputs = for_kernel = None
        if ctx.needs_input_grad[0]:
            for_inputs = _backward(gradient, inputs, kernel, [True, False, False])[0]
        if ctx.needs_input_grad[1]:
            beside = -(-LONG_ENOUGH // (inputs.shape[3] + 1))
            rows = side_by_side(gradient, beside), side_by_side(inputs, beside)
            for_kernel = _backward(*rows, kernel, [False, True, False])[1]
        return for_inputs, for_kernel


def side_by_side(pictures: Tensor, count: int) -> Tensor:
    """Lay `count` pictures into each row, a column of zeros after each.

    Args:
        pictures: `(batch, channels, height, width)`, channels-last.
        count: pictures a row; the last row ends in empty ones.

    Returns:
        `(rows, channels, height, count * (width + 1))`, channels-last.
    """
    batch, channels, height, width = pictures.shape
    rows, left = divmod(batch, count)
    last = pictures.permute(0, 2, 3, 1)
    laid = last.new_zeros(rows + bool(left), height, count, width + 1, channels)
    whole = last[: rows * count].reshape(rows, count, height, width, channels)
    laid[:rows, :, :, :width] = whole.transpose(1, 2)
    if left:
        laid[rows, :, :left, :width] = last[rows * count :].transpose(0, 1)
    return laid.flatten(2, 3).permute(0, 3, 1, 2)


def _backward(gradient: Tensor, inputs: Tensor, kernel: Tensor, wanted: list[bool]) -> Any:
    one = [1, 1]
    return torch.ops.aten.convolution_backward(
        gradient, inputs, kernel, None, one, one, one, False, [0, 0], 1, wanted
    )
