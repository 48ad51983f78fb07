"""A convolution that is faster for small images: they are laid side by side.

In bfloat16 on a CPU, oneDNN computes a convolution along the width of one image, and the
gradient of a kernel by sums of 32 positions of it: at a width of 7 much of its arithmetic goes
into nothing, at 3 nearly all. With images laid into long rows, a column of zeros between them
that no kernel reaches across, every position counts, and the results are the same.
"""

from typing import Any

import torch
from torch import Tensor

from imagette.training.hardware import has_amx

LONG_ENOUGH = 64
"""Positions a row; 32 are a tenth slower for the smallest images (measured)."""

WIDEST = 8 if has_amx() else 3
"""Up to this width it is used. Measured, the rearranging costs more than it brings at 11 and 15
with AMX, and at 7 without. At 5 without AMX, leaving out what pooling drops brings more."""


def packing_is_faster(
    inputs: Tensor, kernel: Tensor, strides: Any, dilation: Any, groups: int
) -> bool:
    """Whether `PackedConvolution` computes this convolution, and faster than PyTorch does."""
    return (
        inputs.device.type == "cpu"
        and inputs.dtype == torch.bfloat16
        and inputs.shape[3] <= WIDEST
        and tuple(kernel.shape[2:]) == (3, 3)
        and tuple(strides) == (1, 1)
        and tuple(dilation) == (1, 1)
        and groups == 1
    )


class PackedConvolution(torch.autograd.Function):
    """A 3×3 convolution with a margin of 1, of images side by side."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, kernel: Tensor) -> Tensor:  # type: ignore[override]
        """inputs `(batch, in, height, width)`, kernel `(out, in, 3, 3)`, both channels-last."""
        batch, _, _, width = inputs.shape
        laid = pack(inputs, -(-LONG_ENOUGH // (width + 1)))
        ctx.save_for_backward(laid, kernel)
        ctx.batch, ctx.width = batch, width
        return unpack(torch.conv2d(laid, kernel, padding=1), batch, width)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:  # type: ignore[override]
        laid, kernel = ctx.saved_tensors
        gradient = pack(gradient, laid.shape[3] // (ctx.width + 1))
        one, wanted = [1, 1], [*ctx.needs_input_grad, False]
        for_inputs, for_kernel, _ = torch.ops.aten.convolution_backward(
            gradient, laid, kernel, None, one, one, one, False, [0, 0], 1, wanted
        )
        if for_inputs is not None:
            for_inputs = unpack(for_inputs, ctx.batch, ctx.width)
        return for_inputs, for_kernel


def pack(images: Tensor, count: int) -> Tensor:
    """Lay `count` images into each row, side by side, a column of zeros after each.

    From `(batch, channels, height, width)` to `(rows, channels, height, count * (width + 1))`, both
    channels-last; the last row ends in empty images.
    """
    batch, channels, height, width = images.shape
    rows, left = divmod(batch, count)
    last = images.permute(0, 2, 3, 1)
    laid = last.new_zeros(rows + bool(left), height, count, width + 1, channels)
    whole = last[: rows * count].reshape(rows, count, height, width, channels)
    laid[:rows, :, :, :width] = whole.transpose(1, 2)
    if left:
        laid[rows, :, :left, :width] = last[rows * count :].transpose(0, 1)
    return laid.flatten(2, 3).permute(0, 3, 1, 2)


def unpack(laid: Tensor, batch: int, width: int) -> Tensor:
    """Take the images out of `pack`'s rows: `(batch, channels, height, width)`."""
    rows = laid.permute(0, 2, 3, 1).unflatten(2, (-1, width + 1))[..., :width, :]
    return rows.transpose(1, 2).flatten(0, 1)[:batch].permute(0, 3, 1, 2)
