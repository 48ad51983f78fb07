"""The depthwise convolution for small maps computes the same, and so do its gradients."""

import pytest
import torch

from imagette.training.depthwise import MOST_PAIRS, DepthwiseConvolution, depthwise_is_faster


def channels_last(*shape: int) -> torch.Tensor:
    return torch.randn(*shape).contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("height", "width", "side", "stride", "margin"),
    [(1, 1, 3, 1, 1), (2, 2, 5, 1, 2), (4, 6, 5, 1, 2), (7, 7, 3, 2, 0), (5, 4, 5, 2, 2)],
)
@pytest.mark.parametrize("batch", [1, 5])
def test_results_are_pytorchs_own(height, width, side, stride, margin, batch):
    torch.manual_seed(0)
    inputs, kernel = channels_last(batch, 6, height, width), channels_last(6, 1, side, side)
    bias, results = torch.randn(6), []
    for convolve in (
        lambda x, k, b: torch.conv2d(x, k, b, stride, margin, 1, 6),
        lambda x, k, b: DepthwiseConvolution.apply(x, k, b, (stride, stride), (margin, margin)),
    ):
        given = [one.clone().requires_grad_() for one in (inputs, kernel, bias)]
        outputs = convolve(*given)
        torch.manual_seed(1)
        outputs.backward(torch.randn_like(outputs))
        results.append([outputs.detach(), *(one.grad for one in given)])
    for one, other in zip(*results, strict=True):
        assert torch.allclose(one, other, atol=1e-4)


def test_it_is_for_small_maps_in_float32():
    side = int(MOST_PAIRS**0.25)
    assert depthwise_is_faster(channels_last(1, 2, side, side), (1, 1), (1, 1))
    assert not depthwise_is_faster(channels_last(1, 2, side + 1, side + 1), (1, 1), (1, 1))
    assert not depthwise_is_faster(channels_last(1, 2, 2, 2).bfloat16(), (1, 1), (1, 1))
    assert not depthwise_is_faster(channels_last(1, 2, 2, 2), (1, 1), (2, 2))
