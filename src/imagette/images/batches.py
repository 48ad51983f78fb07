"""How many pictures a network computes at once."""

from collections.abc import Iterator


def default_batch_size(most: int, height: int, width: int) -> int:
    """As many as take the memory of `most` pictures of 32×32 pixels, and at least one."""
    return max(1, most * 32 * 32 // (height * width))


def batches(count: int, size: int) -> Iterator[slice]:
    """Slices that cut `count` pictures into batches of `size`, the last maybe smaller."""
    for start in range(0, count, size):
        yield slice(start, start + size)
