"""The trainings of a benchmark side by side, each a task of Ray."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from imagette.benchmark.time_to_accuracy import CORES_EACH, measured, train_recipe
from imagette.cluster.connection import (
    NO_CORE_YET,
    cluster,
    result_of,
    shared_path,
    wait_for_a_machine,
)
from imagette.data import Dataset
from imagette.errors import ImagetteError
from imagette.files import write_json
from imagette.training.recipe import Recipe


def side_by_side(
    out: Path,
    recipes: Sequence[Recipe],
    data: Dataset,
    data_dir: str | Path | None,
    *,
    address: str | None,
    say: Callable[[str], None],
) -> None:
    """Train and measure recipes, as many at once as the cores (or GPUs) suffice for.

    Every training gets the same number of cores, those of earlier calls included, because seconds
    on different numbers of cores cannot be compared.

    Args:
        out: folder of the benchmark, at the same path on all machines of the cluster.
        recipes: each with its seed, its paths absolute.
        data: the pictures.
        data_dir: where to look for CIFAR-10 first.
        address: of a Ray cluster; None for one of its own on this machine.
        say: is told when one has ended.

    Raises:
        ImagetteError: the cluster cannot be reached or was lost, or a training failed.
    """
    if not recipes:
        return
    with cluster(address):
        import ray

        cores = wait_for_a_machine(lambda: say(NO_CORE_YET))
        gpus = 1 if ray.cluster_resources().get("GPU") else 0
        cpus = _cores_each(out, 1 if gpus else cores // len(recipes))
        task = ray.remote(num_cpus=cpus, num_gpus=gpus)(_train)
        say(f"{len(recipes)} trainings side by side, {_cores(cpus)} each")
        pictures, folder = ray.put(data), data_dir and str(shared_path(Path(data_dir)))
        waiting = {
            task.remote(shared_path(out), recipe, pictures, folder, cpus): recipe
            for recipe in recipes
        }
        while waiting:
            (ended, *_), _ = ray.wait([*waiting])
            recipe = waiting.pop(ended)
            result_of(ended)
            if not measured(out, recipe):
                raise ImagetteError(
                    f"The cluster has trained {recipe.name}, but {out} on this machine has no"
                    " results of it.",
                    "Give --out a folder that all machines of the cluster share.",
                )
            say(f"{recipe.name}, seed {recipe.seed}: trained")


def _train(
    out: Path, recipe: Recipe, data: Dataset, data_dir: str | Path | None, threads: int
) -> None:
    import torch

    torch.set_num_threads(threads)
    train_recipe(out, recipe, data, data_dir, None)


def _cores_each(out: Path, share: int) -> int:
    """The cores of each training: those of earlier calls or, in a new folder, a share, which is
    recorded. A task runs on one machine.

    Raises:
        ImagetteError: no machine has as many cores as the trainings of earlier calls had.
    """
    import ray

    largest = max(int(node["Resources"].get("CPU", 0)) for node in ray.nodes() if node["Alive"])
    machine = json.loads((out / "machine.json").read_text(encoding="utf-8"))
    each = machine.get(CORES_EACH) or max(1, min(largest, share))
    if each > largest:
        raise ImagetteError(
            f"{out} holds trainings on {each} cores each, and no machine here has so many.",
            "Choose another folder with --out, or a cluster of larger machines.",
        )
    write_json(out / "machine.json", machine | {CORES_EACH: each})
    return each


def _cores(number: int) -> str:
    return f"{number} core" if number == 1 else f"{number} cores"
