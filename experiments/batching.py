"""Whether answering concurrent requests in batches is faster than one after the other.

    python experiments/batching.py [--model BUNDLE] [--seconds 3] [--rounds 5]

As in the server, there are two processes with one thread for the network each, which 16 clients
keep asking, 8 each. `alone` answers a picture at a time in the thread of the client, as the server
does. The others have one thread that waits up to `wait` milliseconds for up to `size` pictures, and
answers those in one go. The ways take turns;
printed are pictures a second of both processes, latency as a client sees it, and processor time a
picture, which depends least on what else the machine does: medians and ranges over the rounds.
"""

import argparse
import multiprocessing
import statistics
import time
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Lock, Thread

import numpy as np

from imagette.inference.bundle import SHIPPED
from imagette.inference.classifier import Classifier

PROCESSES, CLIENTS = 2, 8
# Most pictures in a batch, and milliseconds to wait for them; no batch at all is `alone`.
WAYS = [(0, 0), (1, 0), (2, 0), (4, 0), (8, 0), (4, 2), (8, 2), (8, 5)]


def ask_alone(classifier: Classifier, end: float, latencies: list[float]) -> None:
    """Clients that take turns at the network, as requests do in a worker."""
    turn, picture = Lock(), some_picture(classifier)

    def client() -> None:
        while (start := time.perf_counter()) < end:
            with turn:
                classifier.predict(picture)
            latencies.append(time.perf_counter() - start)

    run([client] * CLIENTS)


def ask_in_batches(
    classifier: Classifier, end: float, latencies: list[float], size: int, wait: float
) -> None:
    """Clients that put pictures in a queue, which a thread of its own answers in batches."""
    queue, picture = SimpleQueue(), some_picture(classifier)

    def client() -> None:
        answer = SimpleQueue()
        while (start := time.perf_counter()) < end:
            queue.put((picture, answer))
            answer.get()
            latencies.append(time.perf_counter() - start)
        queue.put(None)

    def network() -> None:
        going = CLIENTS
        while going:
            batch = gather(queue, size, wait)
            asked = [entry for entry in batch if entry is not None]
            going -= len(batch) - len(asked)
            if asked:
                found = classifier.predict([picture for picture, _ in asked])
                for (_, answer), prediction in zip(asked, found, strict=True):
                    answer.put(prediction)

    run([network, *[client] * CLIENTS])


def gather(queue: SimpleQueue, size: int, wait: float) -> list:
    """The next entry, and those that come within `wait` seconds of it, up to `size` in all."""
    found = [queue.get()]
    deadline = time.perf_counter() + wait
    while len(found) < size:
        try:
            left = deadline - time.perf_counter()
            found.append(queue.get(timeout=left) if left > 0 else queue.get_nowait())
        except Empty:
            break
    return found


def some_picture(classifier: Classifier) -> np.ndarray:
    size = (classifier.height, classifier.width, 3)
    return np.random.default_rng(0).integers(0, 256, size, np.uint8)


def run(tasks: list) -> None:
    threads = [Thread(target=task) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def work(model: Path, seconds: float, rounds: int, together, results) -> None:
    """What each of the processes does; the barrier keeps them in step."""
    classifier = Classifier(model, threads=1)
    for round_ in range(-1, rounds):  # the first is for warming up
        for size, wait in WAYS:
            latencies: list[float] = []
            together.wait()
            end = time.perf_counter() + (seconds if round_ >= 0 else 0.5)
            used = time.process_time()
            if size == 0:
                ask_alone(classifier, end, latencies)
            else:
                ask_in_batches(classifier, end, latencies, size, wait / 1000)
            if round_ >= 0:
                results.put((round_, size, wait, latencies, time.process_time() - used))


def measure(model: Path, seconds: float, rounds: int) -> dict[tuple, list[tuple]]:
    """By way, for each round: pictures a second, p50, p99 and processor time a picture, in ms."""
    context = multiprocessing.get_context("spawn")
    together, results = context.Barrier(PROCESSES, timeout=60), context.Queue()
    arguments = (model, seconds, rounds, together, results)
    processes = [
        context.Process(target=work, args=arguments, daemon=True) for _ in range(PROCESSES)
    ]
    for process in processes:
        process.start()
    latencies: dict[tuple, list[float]] = {}
    processor: dict[tuple, float] = {}
    for _ in range(PROCESSES * rounds * len(WAYS)):
        round_, size, wait, more, used = results.get(timeout=60 + 2 * seconds)
        key = size, wait, round_
        latencies.setdefault(key, []).extend(more)
        processor[key] = processor.get(key, 0) + used
    for process in processes:
        process.join()
    found: dict[tuple, list[tuple]] = {}
    for key, values in sorted(latencies.items()):
        p50, p99 = np.percentile(values, (50, 99)) * 1000
        figures = len(values) / seconds, p50, p99, processor[key] / len(values) * 1000
        found.setdefault(key[:2], []).append(figures)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=SHIPPED["cifar10"])
    parser.add_argument("--seconds", type=float, default=3, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    found = measure(options.model, options.seconds, options.rounds)
    print(f"{options.model.name}, {PROCESSES} processes, {PROCESSES * CLIENTS} clients")
    columns = {"pictures/s": 0, "p50 ms": 1, "p99 ms": 1, "CPU ms/picture": 2}
    print(f"{'size':>5}{'wait ms':>9}" + "".join(f"{name:>23}" for name in columns))
    for (size, wait), rounds in found.items():
        cells = ""
        for values, digits in zip(zip(*rounds, strict=True), columns.values(), strict=True):
            low, high, median = min(values), max(values), statistics.median(values)
            cells += f"{f'{median:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})':>23}"
        print(f"{size or 'alone':>5}{wait:>9}{cells}")


if __name__ == "__main__":
    main()
