"""`imagette train FOLDER` with photographs beside what people use instead: seconds and accuracy.

    pip install --no-deps efficientnet-lite-pytorch
    python experiments/own_photographs.py FOLDER ... [--repeats 3] [--epochs 3] [--scale 300,3000]

Each FOLDER has `train` and `test` with a folder a class each, or is a folder of such folders. The
ways, each a process of its own, take turns; seconds are from its start to its end:

- imagette: the command as a person types it, the report included; features are computed anew;
- fine-tuning, 3 epochs: the same network trained on in PyTorch, its last layer for one epoch and
  then all layers for 3 (`rivals/fine_tuning.py`), with another seed in each repeat;
- logistic regression, C = 1 or chosen by cross-validation, on the same network's float32 features,
  and nearest-pixels, the class of the nearest picture by its pixels (`rivals/on_features.py`).

Then each bundle is asked about its own test pictures and about those of the other folders: how
often `familiarity` ranks the former higher (AUROC), and how many of them it calls unknown, which
should be 5 %. `--scale` times the command on so many photographs made of the first FOLDER's.
Tables are written
to `--out`, with a README.md of all that lies there, which is printed, too.
"""

import argparse
import itertools
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import mean

from rivals.scale import measure_scale
from rivals.tables import readme
from shared.command import imagette, measure_command
from sklearn.metrics import roc_auc_score

from imagette import Classifier
from imagette.features.backbone import ensure_backbone
from imagette.files import write_csv, write_json, write_text
from imagette.images.find_images import find_images
from imagette.training.environment import environment

RIVALS = Path(__file__).parent / "rivals"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--repeats", type=int, default=3, help="0 leaves all but --scale out")
    parser.add_argument("--epochs", default="3", help="of fine-tuning; several take turns")
    parser.add_argument("--scale", default="", help="numbers of photographs, such as 300,3000")
    parser.add_argument("--out", type=Path, default=Path("experiments/results/own_photographs"))
    arguments = parser.parse_args()
    folders = find_sets(arguments.folders)
    counts = [int(count) for count in arguments.scale.split(",") if count]
    backbone = ensure_backbone()
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        if arguments.repeats:
            rows = measure(folders, arguments.repeats, arguments.epochs, backbone, work)
            write_all(arguments.out / "results.csv", rows)
            write_all(arguments.out / "unknown.csv", ask(folders, work))
        if counts:
            rows = measure_scale(folders[0] / "train", counts, backbone, work)
            write_all(arguments.out / "scale.csv", rows)
    write_json(arguments.out / "machine.json", environment())
    text = readme(arguments.out)
    write_text(arguments.out / "README.md", text)
    print(text)


def write_all(path: Path, rows: Iterable[dict]) -> None:
    """Write rows as they come, so that none is lost where a later one fails."""
    written = []
    for one in rows:
        written.append(one)
        write_csv(path, written)


def find_sets(given: list[Path]) -> list[Path]:
    """Folders with `train` and `test`, among those given or within them."""
    found = []
    for folder in given:
        inside = [folder] if (folder / "train").is_dir() else sorted(folder.iterdir())
        found += [one.resolve() for one in inside if (one / "test").is_dir()]
    if not found or len({one.name for one in found}) < len(found):
        sys.exit("Name folders with train/ and test/ in them, each of another name.")
    return found


def measure(
    folders: list[Path], repeats: int, epochs: str, backbone: Path, work: Path
) -> Iterator[dict]:
    """A row for each way, folder and repeat."""
    network = work / "network.onnx"
    features = [sys.executable, str(RIVALS / "on_features.py")]
    measure_command([*features, "export", str(network)])
    for folder, repeat in itertools.product(folders, range(repeats)):
        ways = {
            "logistic regression, C = 1": [*features, "logistic", str(folder), str(network)],
            "logistic regression, C chosen": [*features, "logistic-cv", str(folder), str(network)],
            "nearest-pixels": [*features, "pixels", str(folder)],
        }
        for count in epochs.split(","):
            ways[f"fine-tuning, {count} epochs"] = [
                sys.executable, str(RIVALS / "fine_tuning.py"), str(folder),
                "--epochs", count, "--seed", str(repeat),
            ]  # fmt: skip
        runs = work / "runs"
        shutil.rmtree(runs / folder.name, ignore_errors=True)
        yield row(folder, "imagette", repeat, imagette(folder, runs / folder.name, backbone))
        for name, words in ways.items():
            yield row(folder, name, repeat, measure_command(words))


def row(folder: Path, way: str, repeat: int, measured: dict) -> dict:
    print(
        f"{folder.name}, {way}, repeat {repeat}: {measured['accuracy']:.1%},"
        f" {measured['seconds']:.1f} s",
        flush=True,
    )
    return {"set": folder.name, "way": way, "repeat": repeat} | measured


def ask(folders: list[Path], work: Path) -> Iterator[dict]:
    """What each bundle says of each folder's test pictures, its own first."""
    for folder in folders:
        classifier = Classifier(work / "runs" / folder.name / "run")
        own: list[float] = []
        for asked in [folder, *(other for other in folders if other != folder)]:
            files = find_images(asked / "test").images
            answers = classifier.predict(list(files))
            familiarity = [answer.familiarity or 0.0 for answer in answers]
            own = own or familiarity
            truth = [1] * len(own) + [0] * len(files)
            right = [a.label == f.parent.name for a, f in zip(answers, files, strict=True)]
            yield {
                "bundle": folder.name,
                "pictures": asked.name,
                "count": len(files),
                "unknown": mean(not answer.known for answer in answers),
                "auroc": "" if asked == folder else roc_auc_score(truth, own + familiarity),
                "accuracy": mean(right) if asked == folder else "",
            }


if __name__ == "__main__":
    main()
