"""Any number of pictures, and a model for them, for `cluster_predict.py`.

    python experiments/cluster_pictures.py FOLDER --pictures 100000 [--photographs]

makes pictures alone, to try commands on.
"""

import argparse
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image


def small_pictures() -> np.ndarray:
    """Pictures of 32 x 32, as CIFAR-10 has them."""
    if folder := os.environ.get("IMAGETTE_CIFAR10_DIR"):
        batch = pickle.loads(Path(folder, "test_batch").read_bytes(), encoding="bytes")
        return batch[b"data"].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.stack([drawn(seed, 32, 32) for seed in range(1000)])


def drawn(seed: int, width: int, height: int) -> np.ndarray:
    """A picture that packs about as well as a photograph does: blurred and fine noise."""
    random_ = np.random.default_rng(seed)
    coarse = Image.fromarray(random_.integers(0, 256, (6, 9, 3), np.uint8))
    smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), np.float32)
    return (smooth + random_.normal(0, 8, smooth.shape)).clip(0, 255).astype(np.uint8)


def make_pictures(folder: Path, number: int, photographs: bool) -> Path:
    """So many files, a thousand a folder."""
    pixels = [drawn(seed, 300, 200) for seed in range(200)] if photographs else small_pictures()
    for index in range(number):
        inside = folder / f"{index // 1000:05}"
        inside.mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray(pixels[index % len(pixels)])
        if photographs:
            picture.save(inside / f"{index:08}.jpg", quality=90)
        else:
            picture.save(inside / f"{index:08}.png")
    return folder


def make_model(folder: Path, photographs: bool) -> str:
    """The model that answers; that of photographs is trained on drawn ones."""
    if not photographs:
        return "cifar10-lite"
    for name in range(3):
        (folder / f"learned/{name}").mkdir(parents=True)
        for seed in range(20):
            picture = Image.fromarray(drawn(100 * name + seed, 300, 200))
            picture.save(folder / f"learned/{name}/{seed}.jpg")
    command = ["train", folder / "learned", "--runs-dir", folder / "runs", "--name", "photos"]
    subprocess.run([sys.executable, "-m", "imagette", *map(str, command)], check=True)
    return str(folder / "runs/photos")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--photographs", action="store_true")
    given = parser.parse_args()
    print(make_pictures(given.folder, given.pictures, given.photographs))


if __name__ == "__main__":
    main()
