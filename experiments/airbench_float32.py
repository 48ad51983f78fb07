"""How long airbench94's training would take on this CPU: what `sprint-94` is timed against.

    python experiments/airbench_float32.py [--steps 6]

Times training steps of the network of Jordan, *94% on CIFAR-10 in 3.29 Seconds on a Single GPU*,
2024 (arXiv:2404.00498, section 3.1), in plain PyTorch, float32, channels-last, at its batch of
2,000, with Nesterov SGD in place of Muon (which costs more), and says how long its 400,000 pictures
(8 epochs of 50,000) would take at that speed. Augmentation and validation are left out. The first
step, in which PyTorch prepares itself, does not count.
"""

import argparse
import statistics
import time

import torch
from torch import nn

BATCH = 2000
PICTURES = 400_000


def group(inputs: int, outputs: int) -> list[nn.Module]:
    """Two convolutions, the first one pooled, each normalised and activated."""

    def convolution(channels: int) -> nn.Conv2d:
        return nn.Conv2d(channels, outputs, 3, padding=1, bias=False)

    def normalisation() -> nn.BatchNorm2d:
        return nn.BatchNorm2d(outputs)

    first = [convolution(inputs), nn.MaxPool2d(2), normalisation(), nn.GELU()]
    return [*first, convolution(outputs), normalisation(), nn.GELU()]


def network() -> nn.Sequential:
    """Widths 64, 256 and 256 after a frozen 2×2 whitening convolution whose bias is trained."""
    whitening = nn.Conv2d(3, 24, 2)
    whitening.weight.requires_grad = False
    layers = [whitening, nn.GELU(), *group(24, 64), *group(64, 256), *group(256, 256)]
    layers += [nn.MaxPool2d(3), nn.Flatten(), nn.Linear(256, 10, bias=False)]
    return nn.Sequential(*layers).to(memory_format=torch.channels_last)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=6)
    steps = parser.parse_args().steps
    model = network()
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=0.01, momentum=0.85, nesterov=True)
    pictures = torch.randn(BATCH, 3, 32, 32).to(memory_format=torch.channels_last)
    labels = torch.randint(0, 10, (BATCH,))
    seconds = []
    for _ in range(steps + 1):
        start = time.perf_counter()
        loss = nn.functional.cross_entropy(model(pictures), labels, label_smoothing=0.2)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seconds.append(time.perf_counter() - start)
    middle = statistics.median(seconds[1:])
    low, high = BATCH / max(seconds[1:]), BATCH / min(seconds[1:])
    print(f"{BATCH / middle:.0f} pictures/s (median of {steps} steps; {low:.0f} to {high:.0f})")
    print(f"{PICTURES:,} pictures would take {PICTURES * middle / BATCH:,.0f} s")


if __name__ == "__main__":
    main()
