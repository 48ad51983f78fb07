"""`imagette train` on hundreds to hundred thousands of photographs, made of a few."""

import random
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from PIL import Image, ImageEnhance
from shared.command import imagette

WIDTH, HEIGHT = 500, 375
QUALITY = 70
PORTION = 50


def measure_scale(pictures: Path, counts: list[int], backbone: Path, work: Path) -> Iterator[dict]:
    """A row for each number of photographs, of `pictures`, which has a folder a class."""
    for count in counts:
        with tempfile.TemporaryDirectory(dir=work) as folder:
            made = Path(folder) / "photographs"
            make(pictures, count, made)
            size = sum(file.stat().st_size for file in made.rglob("*.jpg"))
            measured = imagette(made, Path(folder) / "runs", backbone)
        print(f"{count} photographs: {measured}", flush=True)
        yield {"photographs": count, "kilobytes_each": round(size / count / 1000, 1)} | measured


def make(pictures: Path, count: int, folder: Path) -> None:
    """So many photographs of 500×375, random parts of those given in other colours."""
    classes = sorted(path for path in pictures.iterdir() if path.is_dir())
    files = [sorted(path.iterdir()) for path in classes]
    for path in classes:
        (folder / path.name).mkdir(parents=True)
    numbers = [range(start, min(start + PORTION, count)) for start in range(0, count, PORTION)]
    with ProcessPoolExecutor() as workers:
        for _ in workers.map(partial(_make, files, folder), numbers):
            pass


def _make(files: list[list[Path]], folder: Path, numbers: range) -> None:
    for number in numbers:
        chance = random.Random(number)
        of_class = files[number % len(files)]
        file = of_class[number // len(files) % len(of_class)]
        vary(file, chance).save(folder / file.parent.name / f"{number}.jpg", quality=QUALITY)


def vary(file: Path, chance: random.Random) -> Image.Image:
    """A random part of a picture, maybe mirrored, in other colours."""
    with Image.open(file) as opened:
        image = opened.convert("RGB")
    width, height = (side * chance.uniform(0.5, 1) for side in image.size)
    left = chance.uniform(0, image.width - width)
    top = chance.uniform(0, image.height - height)
    box = (left, top, left + width, top + height)
    image = image.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC, box)
    if chance.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    for change in (ImageEnhance.Color, ImageEnhance.Brightness, ImageEnhance.Contrast):
        image = change(image).enhance(chance.uniform(0.6, 1.4))
    return image
