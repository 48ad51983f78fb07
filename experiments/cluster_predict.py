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
`Classifier.predict`. The command is timed in three ways: as a whole, its start included; as it says
itself, from the moment on when a worker is ready; and by what each further picture takes beyond a
run with a quarter of them.

`kills` answers on two nodes of one core, and kills the driver, a worker and a node in turns, at
random moments; the same command is started again until it ends, and each picture must be in the
output exactly once. `growth` compares time and memory of ten times the pictures; `efficiency` two
workers of one core with one.
"""

import argparse
import os
import random
import re
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
from cluster_pictures import make_model, make_pictures

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

CORES = len(os.sched_getaffinity(0))
SAMPLE = 1024
KINDS = ("driver", "worker", "node")


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
    said: dict[int, str] = {}
    quarter = make_pictures(folder / "quarter", number // 4, model != "cifar10-lite")
    for index, (some, source) in enumerate(((number, pictures), (number // 4, quarter))):
        decoded = on_all_cores(partial(decode, model, paths, rounds))
        answered = on_all_cores(partial(infer, model, paths, rounds))
        ends.append((decoded, answered, 1 / (1 / decoded + 1 / answered)))
        seconds[some], said[some] = predict(source, model, folder / f"bound{index}.parquet")
    for decoded, answered, together in ends:
        print(f"decoding {decoded:,.0f}/s, ONNX Runtime {answered:,.0f}/s: {together:,.0f}/s")
    most = sum(one[2] for one in ends) / len(ends)
    whole = number / seconds[number]
    further = (number - number // 4) / (seconds[number] - seconds[number // 4])
    plain = 1 / loop(model, paths)
    print(f"bound on {CORES} cores      {most:8,.0f}/s")
    print(f"--ray, the whole command {whole:8,.0f}/s  {whole / most:.2f} of the bound")
    work = work_speed(said[number])
    print(f"--ray, from work on      {work:8,.0f}/s  {work / most:.2f} of the bound")
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


def kill(kind: str, nodes: Any, program: subprocess.Popen, random_: random.Random) -> bool:
    """Kill one of a kind; False where no worker is answering, or the program has just ended."""
    if kind == "driver":
        if program.poll() is not None:
            return False
        program.kill()
    elif kind == "worker":
        found = children(nodes.nodes, "ray::answer_part")
        if not found:
            return False
        random_.choice(found).kill()
    else:
        number = random_.randrange(2)
        nodes.kill_node(number)
        nodes.nodes[number] = nodes.add_node()
    return True


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
    begin = partial(subprocess.Popen, command, stderr=subprocess.PIPE, text=True)
    program, errors = begin(), 0
    while True:
        try:
            # Long enough that a driver gets somewhere, and short enough for all kills.
            status = program.wait(random_.uniform(1, 12) if len(killed) < times else None)
        except subprocess.TimeoutExpired:
            kind = KINDS[len(killed) % 3]
            if not kill(kind, nodes, program, random_):
                continue
            parts = len(list(Path(f"{out}.parts").glob("0*.parquet")))
            killed.append(kind)
            print(f"{time.monotonic() - begun:6.1f} s  {kind} killed, {parts} parts written")
            if kind == "driver":
                program.communicate()
                program = begin()
            continue
        if status == 0:
            break
        errors += 1
        print(f"the command ended with {status}: {program.communicate()[1][-300:]}")
        program = begin()
    nodes.close()
    answered = parquet.read_table(out)["path"].to_pylist()
    assert answered == sorted(str(path) for path in pictures.rglob("*.*"))
    assert len(killed) == times, "it ended before all kills: give more --pictures"
    print(f"{len(killed)} kills, {errors} ends with an error, {time.monotonic() - begun:.0f} s:"
          f" each of {number:,} pictures is answered exactly once")  # fmt: skip


def watched(pictures: Path, model: str, out: Path, *options: str) -> tuple[float, dict[str, int]]:
    """The command's seconds, and the most memory of the driver and of a worker, in bytes."""
    command = [sys.executable, "-m", "imagette", "predict", str(pictures), "--model", model]
    begun, most = time.monotonic(), {"driver": 0, "worker": 0}
    program = psutil.Popen(
        [*command, "--out", str(out), *(options or ["--ray"])], stderr=subprocess.DEVNULL
    )
    for _ in count():
        try:
            assert program.wait(0.5) == 0
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

    speeds, whole = {}, {}
    for workers in (1, 2):
        nodes = TwoNodes(workers)
        out = folder / f"efficiency{workers}.parquet"
        whole[workers], said = predict(pictures, model, out, "--ray-address", nodes.address)
        nodes.close()
        speeds[workers] = work_speed(said)
        print(f"{workers} workers of one core: {speeds[workers]:,.0f}/s of work,"
              f" {whole[workers]:.1f} s with all around it")  # fmt: skip
    print(f"efficiency of the work {speeds[2] / speeds[1] / 2:.2f},"
          f" of the whole command {whole[1] / whole[2] / 2:.2f}")  # fmt: skip


def work_speed(said: str) -> float:
    """The pictures a second that the command tells: from the first work on."""
    found = re.search(r"answered in .* \(([\d,]+)/s\)", said)
    assert found, said
    return float(found[1].replace(",", ""))


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
