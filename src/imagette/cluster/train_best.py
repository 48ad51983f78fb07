"""The best recipe of a search, trained on a worker with what a trial had of its machine."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import ray
from ray.util.queue import Empty, Queue

from imagette.cluster.connection import on_this_machine, result_of, shared_path
from imagette.cluster.study import MAX_FAILURES
from imagette.data import Dataset
from imagette.errors import ImagetteError
from imagette.training.recipe import Recipe
from imagette.training.reporter import Reporter
from imagette.training.run import Run, train

_SECONDS = 0.3
"""How long to wait for progress before looking whether the training has ended."""


def train_best(
    pictures: str | Path | Dataset,
    recipe: Recipe,
    folder: Path,
    cores: int,
    gpus: int,
    data_dir: str | None,
    reporter: Reporter,
) -> Run:
    """Train a recipe on a worker, or go on with that; progress is told here.

    Args:
        pictures: as for `imagette.training.run.train`, a path absolute.
        recipe: how to train, its paths absolute.
        folder: the run folder, which that machine must see, too.
        cores: of the worker, and PyTorch's threads.
        gpus: of the worker.
        data_dir: where to look for CIFAR-10 first.
        reporter: is told of the training.

    Raises:
        ImagetteError: the training failed, or its worker was lost too often.
    """
    options = {"num_cpus": 0, "scheduling_strategy": on_this_machine()}
    progress = Queue(actor_options=options)
    task = ray.remote(num_cpus=cores, num_gpus=gpus, max_retries=MAX_FAILURES)(_train)
    training = task.remote(progress, cores, pictures, recipe, shared_path(folder), data_dir)
    ended = False
    while not ended:
        ended = bool(ray.wait([training], timeout=0)[0])
        try:
            while True:
                told, arguments, named = progress.get(timeout=_SECONDS)
                getattr(reporter, told)(*arguments, **named)
        except Empty:
            pass
    run: Run = replace(result_of(training), folder=folder)
    if not (folder / "metrics.json").is_file():
        raise ImagetteError(
            f"The cluster has trained the best recipe, but {folder} is not on this machine.",
            "Give --runs-dir a folder that all machines of the cluster share.",
        )
    return run


def _train(
    progress: Queue, threads: int, pictures: Any, recipe: Recipe, folder: Path, data_dir: str | None
) -> Run:
    import torch

    torch.set_num_threads(threads)
    return train(
        pictures, recipe, name=folder.name, runs_dir=folder.parent, resume=True, data_dir=data_dir,
        reporter=_Forwarding(progress),
    )  # fmt: skip


class _Forwarding(Reporter):
    """Tells another process's reporter whatever it is told."""

    def __init__(self, progress: Queue) -> None:
        self.progress = progress

    def __getattribute__(self, name: str) -> Any:
        if not name.startswith("on_"):
            return super().__getattribute__(name)
        progress: Queue = self.progress

        def forward(*arguments: Any, **named: Any) -> None:
            progress.put((name, arguments, named))

        return forward
