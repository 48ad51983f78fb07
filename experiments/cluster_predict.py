"""Prediction on a Ray cluster: how fast, whatever is killed, and how it grows.

    python experiments/cluster_predict.py bound [--pictures 20000]
    python experiments/cluster_predict.py kills [--pictures 50000] [--kills 20]
    python experiments/cluster_predict.py growth [--pictures 100000]
    python experiments/cluster_predict.py efficiency [--pictures 10000]

Each for 32 x 32 PNG with `cifar10-lite`; with `--photographs`, for 300 x 200 JPEG with a model of
photographs, which `imagette train` makes first. The pictures are those of CIFAR-10 where
IMAGETTE_CIFAR10_DIR names it, and drawn otherwise; the photographs are drawn.

`bound` measures, on as many processes as there are cores, decoding alone and ONNX Runtime alone
(one thread a process), before and after the command itself, and says what the two allow together:
1 / (1 / decoded + 1 / answered) pictures a second. Beside it stands a plain loop over
`Classifier.predict`. The command is timed as a whole (start and joining too), and what each further
picture takes by a second run with a quarter of them.

`kills` answers on two nodes of one core, and kills the driver, a worker and a node in turns, at
random moments; the same command is started again until it ends, and each picture must be in the
output exactly once. `growth` compares time and memory of ten times the pictures; `efficiency` two
workers of one core with one.
"""

import argparse
import os
import pickle
import random
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

CORES = len(os.sched_getaffinity(0))
SAMPLE = 1024
KINDS = ("driver", "worker", "node")


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


def predict(pictures: Path, model: str, out: Path, *options: str) -> tuple[float, str]:
    """Run the command to its end: seconds, and what it said."""
    command = [sys.executable, "-m", "imagette", "predict", str(pictures), "--model", model]
    begun = time.monotonic()
    done = subprocess.run(
        [*command, "--out", str(out), *(options or ["--ray"])], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return time.monotonic() - begun, done.stderr


def decode(model: str, paths: list[str], rounds: int) -> float:
    """Seconds a picture to decode files alone, in this process."""
    from imagette import Classifier

    classifier = Classifier(model, threads=1)
    classifier.views(paths[0])
    begun = time.monotonic()
    for _ in range(rounds):
        for path in paths:
            classifier.views(path)
    return (time.monotonic() - begun) / rounds / len(paths)


def infer(model: str, paths: list[str], rounds: int) -> float:
    """Seconds a picture of ONNX Runtime alone, in this process, in batches as large as they are."""
    from imagette import Classifier

    classifier = Classifier(model, threads=1)
    views = [view.pixels for path in paths for view in classifier.views(path)]
    pixels = np.array(views)
    classifier.predict_arrays(pixels)
    begun = time.monotonic()
    for _ in range(rounds):
        classifier.predict_arrays(pixels)
    return (time.monotonic() - begun) / rounds / len(paths)


def loop(model: str, paths: list[str]) -> float:
    """Seconds a picture of a plain loop."""
    from imagette import Classifier

    classifier = Classifier(model)
    classifier.predict(paths[0])
    begun = time.monotonic()
    for path in paths:
        classifier.predict(path)
    return (time.monotonic() - begun) / len(paths)


def on_all_cores(measure: "partial[float]") -> float:
    """Pictures a second of all cores together."""
    with ProcessPoolExecutor(CORES) as pool:
        return sum(1 / one.result() for one in [pool.submit(measure) for _ in range(CORES)])


def bound(folder: Path, model: str, pictures: Path, number: int) -> None:
    paths = sorted(map(str, pictures.rglob("*.*")))[:SAMPLE]
    rounds = 1 if model != "cifar10-lite" else 5
    ends = []
    seconds: dict[int, float] = {}
    quarter = make_pictures(folder / "quarter", number // 4, model != "cifar10-lite")
    for index, (some, source) in enumerate(((number, pictures), (number // 4, quarter))):
        decoded = on_all_cores(partial(decode, model, paths, rounds))
        answered = on_all_cores(partial(infer, model, paths, rounds))
        ends.append((decoded, answered, 1 / (1 / decoded + 1 / answered)))
        seconds[some], _ = predict(source, model, folder / f"bound{index}.parquet")
    for decoded, answered, together in ends:
        print(f"decoding {decoded:,.0f}/s, ONNX Runtime {answered:,.0f}/s: {together:,.0f}/s")
    most = sum(one[2] for one in ends) / len(ends)
    whole = number / seconds[number]
    further = (number - number // 4) / (seconds[number] - seconds[number // 4])
    plain = 1 / loop(model, paths)
    print(f"bound on {CORES} cores      {most:8,.0f}/s")
    print(f"--ray, the whole command {whole:8,.0f}/s  {whole / most:.2f} of the bound")
    print(f"--ray, further pictures  {further:8,.0f}/s  {further / most:.2f} of the bound")
    print(f"loop over predict        {plain:8,.0f}/s  --ray: {whole / plain:.1f} times as many")


def children(nodes: list, named: str) -> list[psutil.Process]:
    """The processes of nodes that are called so."""
    found = []
    for node in nodes:
        for info in node.all_processes.get("raylet", []):
            for one in psutil.Process(info.process.pid).children(recursive=True):
                if named in " ".join(one.cmdline()):
                    found.append(one)
    return found


def kill(kind: str, nodes: Any, program: subprocess.Popen, random_: random.Random) -> None:
    if kind == "driver":
        program.kill()
    elif kind == "worker":
        for one in random_.sample(found := children(nodes.nodes, "ray::Map"), min(1, len(found))):
            one.kill()
    else:
        number = random_.randrange(2)
        nodes.kill_node(number)
        nodes.nodes[number] = nodes.add_node()


def kills(folder: Path, model: str, pictures: Path, number: int, times: int) -> None:
    from pyarrow import parquet
    from support.two_nodes import TwoNodes

    nodes, out = TwoNodes(), folder / "kills.parquet"
    random_, begun = random.Random(0), time.monotonic()
    killed: list[str] = []
    command = [
        *(sys.executable, "-m", "imagette", "predict", str(pictures), "--model", model),
        *("--out", str(out), "--ray-address", nodes.address),
    ]
    program = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    while True:
        try:
            # Long enough that a driver gets somewhere, and short enough for all kills.
            status = program.wait(random_.uniform(1, 12) if len(killed) < times else None)
        except subprocess.TimeoutExpired:
            kind = KINDS[len(killed) % 3]
            kill(kind, nodes, program, random_)
            parts = len(list(Path(f"{out}.parts").glob("0*.parquet")))
            killed.append(kind)
            print(f"{time.monotonic() - begun:6.1f} s  {kind} killed, {parts} parts written")
            if kind == "driver":
                program.wait()
                program = subprocess.Popen(command, stderr=subprocess.DEVNULL)
            continue
        if status == 0:
            break
        program = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    nodes.close()
    answered = parquet.read_table(out)["path"].to_pylist()
    expected = sorted(str(path) for path in pictures.rglob("*.*"))
    print(f"{len(killed)} kills, {time.monotonic() - begun:.0f} s, {number:,} pictures:"
          f" exactly once: {answered == expected}")  # fmt: skip


def watched(pictures: Path, model: str, out: Path, *options: str) -> tuple[float, dict[str, int]]:
    """The command's seconds, and the most memory of the driver and of a worker, in bytes."""
    command = [sys.executable, "-m", "imagette", "predict", str(pictures), "--model", model]
    begun, most = time.monotonic(), {"driver": 0, "worker": 0}
    program = psutil.Popen(
        [*command, "--out", str(out), *(options or ["--ray"])], stderr=subprocess.DEVNULL
    )
    for _ in count():
        try:
            program.wait(0.5)
            return time.monotonic() - begun, most
        except psutil.TimeoutExpired:
            try:
                # What is shared with others, as the object store is, is not a worker's own.
                for one in [program, *program.children(recursive=True)]:
                    kind = "driver" if one is program else "worker"
                    if one is program or "ray::" in " ".join(one.cmdline()):
                        memory = one.memory_info()
                        most[kind] = max(most[kind], memory.rss - memory.shared)
            except psutil.Error:
                continue
    raise AssertionError


def growth(folder: Path, model: str, pictures: Path, number: int) -> None:
    tenth = make_pictures(folder / "tenth", number // 10, model != "cifar10-lite")
    for some, source in ((number // 10, tenth), (number, pictures)):
        seconds, most = watched(source, model, folder / f"growth{some}.parquet")
        memory = ", ".join(f"{kind} {size / 1e6:.0f} MB" for kind, size in most.items())
        print(f"{some:>9,} pictures: {seconds:6.1f} s; {memory}")


def efficiency(folder: Path, model: str, pictures: Path, number: int) -> None:
    from support.two_nodes import TwoNodes

    seconds = {}
    for workers in (1, 2):
        nodes = TwoNodes(workers)
        out = folder / f"efficiency{workers}.parquet"
        seconds[workers], _ = predict(pictures, model, out, "--ray-address", nodes.address)
        nodes.close()
        print(f"{workers} workers of one core: {seconds[workers]:.1f} s"
              f" ({number / seconds[workers]:,.0f}/s)")  # fmt: skip
    print(f"efficiency {seconds[1] / seconds[2] / 2:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=["bound", "kills", "growth", "efficiency"])
    parser.add_argument("--pictures", type=int)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--photographs", action="store_true")
    asked = parser.parse_args()
    usual = {"bound": 20_000, "kills": 50_000, "growth": 100_000, "efficiency": 10_000}
    number = asked.pictures or usual[asked.what] // (10 if asked.photographs else 1)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        model = make_model(folder, asked.photographs)
        pictures = make_pictures(folder / "pictures", number, asked.photographs)
        more = (asked.kills,) if asked.what == "kills" else ()
        globals()[asked.what](folder, model, pictures, number, *more)


if __name__ == "__main__":
    main()
