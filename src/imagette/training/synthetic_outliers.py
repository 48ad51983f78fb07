"""Images of nothing that has a name, made from the images being learned.

What has been shown such images tells others of no class from those of the classes better
(Hendrycks, Mazeika & Dietterich, *Deep Anomaly Detection with Outlier Exposure*, 2019). Theirs were
found; these are made, so that no other dataset is needed.

Every function takes and gives uint8 images `(n, height, width, 3)`.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from imagette.training.trivial_augment import to_levels

_SIZE = 32
"""Rows or columns of images that the sides below are for; in others they differ in proportion."""
_VALUES = 20_000_000
"""So many are worked on at once, which takes a few hundred megabytes."""


def make_outliers(images: Tensor) -> Tensor:
    """As many outliers as images, about as many of each kind, in no order of kinds."""
    if not len(images):
        return images
    order = torch.randperm(len(images), device=images.device)
    at_once = max(3, _VALUES // images[0].numel())
    made = [
        make(images[some])
        for make, part in zip(KINDS, order.tensor_split(len(KINDS)), strict=True)
        for some in part.split(at_once)
        if len(some)
    ]
    return torch.cat(made)


def shuffle_tiles(images: Tensor) -> Tensor:
    """The tiles of each image in another order: its texture without its shape."""
    count, height, width, channels = images.shape
    side = _side((4, 8)[int(torch.randint(2, ()))], images)
    rows, columns = height // side, width // side
    tiles = images[:, : rows * side, : columns * side]
    tiles = tiles.reshape(count, rows, side, columns, side, channels).transpose(2, 3)
    tiles = tiles.reshape(count, rows * columns, -1)
    order = torch.rand(count, rows * columns, device=images.device).argsort(1)
    tiles = tiles.gather(1, order[..., None].expand_as(tiles))
    tiles = tiles.reshape(count, rows, columns, side, side, channels).transpose(2, 3)
    shuffled = images.clone()
    shuffled[:, : rows * side, : columns * side] = tiles.flatten(3, 4).flatten(1, 2)
    return shuffled


def repeat_detail(images: Tensor) -> Tensor:
    """A small square of each image, mirrored again and again: a texture, half of them grey."""
    height, width = images.shape[1:3]
    side = _side(int(torch.randint(5, 13, ())), images)
    top, left = (int(torch.randint(0, size - side + 1, ())) for size in (height, width))
    detail = images[:, top : top + side, left : left + side]
    twice = torch.cat([detail, detail.flip(1)], 1)
    twice = torch.cat([twice, twice.flip(2)], 2)
    repeats = math.ceil(height / twice.shape[1]), math.ceil(width / twice.shape[2])
    texture = twice.repeat(1, *repeats, 1)[:, :height, :width].float()
    # Up to twice the contrast, so that a plain detail becomes a texture that can be seen.
    middle = texture.mean((1, 2), keepdim=True)
    texture = middle + (texture - middle) * _uniform(images, 1, 2)
    grey = texture.mean(3, keepdim=True).expand_as(texture)
    return to_levels(torch.where(_half(images), grey, texture))


def enlarge_corner(images: Tensor) -> Tensor:
    """A small square from a corner of each image, enlarged: what is beside things, mostly."""
    height, width = images.shape[1:3]
    side = _side(int(torch.randint(7, 13, ())), images)
    top, left = (int(torch.randint(2, ())) * (size - side) for size in (height, width))
    corner = images[:, top : top + side, left : left + side].permute(0, 3, 1, 2).float()
    large = functional.interpolate(corner, (height, width), mode="bicubic")
    return to_levels(large.permute(0, 2, 3, 1))


def scramble_phases(images: Tensor) -> Tensor:
    """Each image's frequencies, as strong as they were, in random phases."""
    values = images.permute(0, 3, 1, 2).float()
    noise = torch.fft.rfft2(torch.randn_like(values[:, :1]))
    shifted = torch.fft.rfft2(values) * (noise / noise.abs().clamp(min=1e-6))
    # The mean is a frequency too, and stays.
    shifted[..., 0, 0] = torch.fft.rfft2(values)[..., 0, 0]
    return to_levels(torch.fft.irfft2(shifted, s=values.shape[2:]).permute(0, 2, 3, 1))


def blend(images: Tensor) -> Tensor:
    """The mean of three images, as strong in contrast as one."""
    mean = torch.stack([images.roll(shift, 0).float() for shift in (0, 1, 2)]).mean(0)
    middle = mean.mean((1, 2), keepdim=True)
    return to_levels(middle + (mean - middle) * 3**0.5)


def make_clouds(images: Tensor) -> Tensor:
    """Noise of several scales, from single pixels to the whole, in colours that go together."""
    count, height, width = images.shape[:3]
    total = torch.zeros(count, 3, height, width, device=images.device)
    for side in (2, 4, 8, 16, height):
        strength = torch.rand(count, 1, 1, 1, device=images.device).pow(3)
        noise = torch.randn(count, 3, side, side, device=images.device)
        total += strength * functional.interpolate(noise, (height, width), mode="bicubic")
    grey = total.mean(1, keepdim=True) * 1.5
    share = torch.rand(count, 1, 1, 1, device=images.device)
    return _colour(torch.lerp(total, grey.expand_as(total), share).permute(0, 2, 3, 1))


def make_waves(images: Tensor) -> Tensor:
    """Stripes and checks: the sum or the product of two waves, soft or hard."""
    count, height, width = images.shape[:3]
    device = images.device
    y = torch.arange(height, device=device).view(1, 1, -1, 1)
    x = torch.arange(width, device=device).view(1, 1, 1, -1)
    angle, phase = torch.rand(2, count, 2, 1, 1, device=device) * math.tau
    # From one period an image to one every three pixels.
    frequency = math.tau / torch.empty(count, 2, 1, 1, device=device).uniform_(3, max(4, width))
    waves = torch.sin(frequency * (angle.cos() * x + angle.sin() * y) + phase)
    first, second = waves.unbind(1)
    kind = torch.randint(3, (count, 1, 1), device=device)
    pattern = torch.where(kind == 0, first, torch.where(kind == 1, first + second, first * second))
    pattern = torch.tanh(pattern[..., None] * _uniform(images, 0.5, 8))
    return _colour(pattern * torch.randn(count, 1, 1, 3, device=device))


def draw_strokes(images: Tensor) -> Tensor:
    """A line of one colour on another, bent or broken: what digits and letters are made of."""
    count, height, width = images.shape[:3]
    device, strokes = images.device, 9
    y = torch.arange(height, device=device).view(1, -1, 1) / height
    x = torch.arange(width, device=device).view(1, 1, -1) / width
    # Each stroke begins where the one before ends, turned from it by little, mostly.
    bend = torch.randn(count, 1, device=device) * 0.5
    turns = bend + torch.randn(count, strokes, device=device).pow(3) * 0.5
    turns[:, :1] += torch.rand(count, 1, device=device) * math.tau
    heading = turns.cumsum(1)
    step = _uniform(images, 0.06, 0.22)[..., 0]
    points = (step * torch.stack([heading.cos(), heading.sin()], 2)).cumsum(1)
    points = functional.pad(points, (0, 0, 1, 0))
    points = (points - points.mean(1, keepdim=True) + 0.5)[..., None, None]
    drawn = torch.randint(3, strokes + 1, (count, 1, 1), device=device)
    distance = torch.full((count, height, width), 2.0, device=device)
    for stroke in range(strokes):  # one after another: all at once would take gigabytes
        to_stroke = _distance(x, y, points[:, stroke], points[:, stroke + 1])
        distance = torch.where(stroke < drawn, distance.minimum(to_stroke), distance)
    thickness, softness = _uniform(images, 0.015, 0.08), _uniform(images, 0.3, 3)
    ink = torch.sigmoid((thickness - distance[..., None]) * (2 * width) / softness)
    colours = torch.rand(2, count, 1, 1, 3, device=device) * 255
    # As often in black on white, or the other way round.
    plain = torch.tensor([0.0, 255.0], device=device).view(2, 1, 1, 1, 1).expand_as(colours)
    plain = torch.where(_half(images), plain, plain.flip(0))
    colours = torch.where(_half(images), colours, plain)
    noise = torch.randn(count, height, width, 1, device=device) * 4
    return to_levels(torch.lerp(colours[0], colours[1], ink) + noise)


def _distance(x: Tensor, y: Tensor, begin: Tensor, end: Tensor) -> Tensor:
    """From the places `(1, height, width)` to lines from one point `(n, 2, 1, 1)` to another."""
    along = end - begin
    length = along.square().sum(1).clamp(min=1e-6)
    place = ((x - begin[:, 0]) * along[:, 0] + (y - begin[:, 1]) * along[:, 1]) / length
    place = place.clamp(0, 1)
    across = x - begin[:, 0] - place * along[:, 0]
    down = y - begin[:, 1] - place * along[:, 1]
    return (across**2 + down**2).sqrt()


KINDS = (
    shuffle_tiles, repeat_detail, enlarge_corner, scramble_phases,
    blend, make_clouds, make_waves, draw_strokes,
)  # fmt: skip
"""The ways in which outliers are made."""


def _side(of_32: int, images: Tensor) -> int:
    """A side that is so long in an image of 32 × 32, in those there are."""
    smaller = min(images.shape[1:3])
    return min(smaller, max(2, round(of_32 * smaller / _SIZE)))


def _half(images: Tensor) -> Tensor:
    """Which images are among a random half, bool `(n, 1, 1, 1)`."""
    return torch.rand(len(images), 1, 1, 1, device=images.device) < 0.5


def _uniform(images: Tensor, low: float, high: float) -> Tensor:
    """A number between the two for each image, `(n, 1, 1, 1)`."""
    return torch.empty(len(images), 1, 1, 1, device=images.device).uniform_(low, high)


def _colour(pattern: Tensor) -> Tensor:
    """A pattern of about mean 0 and deviation 1 around some colour, in some contrast."""
    count, device = len(pattern), pattern.device
    middle = torch.empty(count, 1, 1, 3, device=device).uniform_(40, 215)
    return to_levels(middle + _uniform(pattern, 8, 70) * pattern)
