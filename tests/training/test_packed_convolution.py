"""The convolution of pictures side by side computes the same, and so do its gradients."""

import pytest
import torch

from imagette.training.packed_convolution import PackedConvolution, pack, packing_is_faster, unpack


def channels_last(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("batch", [1, 7, 40])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 3), (7, 7), (4, 8)])
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_results_are_pytorchs_own(batch, height, width, kind):
    torch.manual_seed(0)
    inputs = channels_last(torch.randn(batch, 16, height, width)).to(kind)
    kernel = channels_last(torch.randn(32, 16, 3, 3)).to(kind)
    gradient = channels_last(torch.randn(batch, 32, height, width)).to(kind)
    results = []
    for convolve in (lambda x, k: torch.conv2d(x, k, padding=1), PackedConvolution.apply):
        x, k = inputs.clone().requires_grad_(), kernel.clone().requires_grad_()
        outputs = convolve(x, k)
        outputs.backward(gradient)
        results.append((outputs, x.grad, k.grad))
    for one, other in zip(*results, strict=True):
        exact = (1e-5 if kind == torch.float32 else 0.02) * float(one.detach().abs().max())
        assert torch.allclose(one.float(), other.float(), atol=exact)


def test_pictures_lie_side_by_side_with_zeros_between():
    images = channels_last(torch.arange(1.0, 13).view(3, 1, 2, 2))
    laid = pack(images, 2)
    assert torch.equal(unpack(laid, 3, 2), images)
    assert laid[:, 0].tolist() == [
        [[1, 2, 0, 5, 6, 0], [3, 4, 0, 7, 8, 0]],
        [[9, 10, 0, 0, 0, 0], [11, 12, 0, 0, 0, 0]],
    ]


def test_it_is_for_small_pictures_in_bfloat16_only():
    small, kernel = torch.zeros(2, 4, 3, 3, dtype=torch.bfloat16), torch.zeros(8, 4, 3, 3)
    assert packing_is_faster(small, kernel, (1, 1), (1, 1), 1)
    assert not packing_is_faster(small.float(), kernel, (1, 1), (1, 1), 1)
    assert not packing_is_faster(torch.zeros(2, 4, 7, 15).bfloat16(), kernel, (1, 1), (1, 1), 1)
    assert not packing_is_faster(small, torch.zeros(8, 4, 5, 5), (1, 1), (1, 1), 1)
    assert not packing_is_faster(small, kernel, (2, 2), (1, 1), 1)
    assert not packing_is_faster(small, kernel, (1, 1), (1, 1), 2)
