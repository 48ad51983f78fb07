"""The trainings of a benchmark side by side, a task of Ray's each."""

from collections.abc import Callable, Sequence
from pathlib import Path

from imagette.benchmark.time_to_accuracy import train_recipe
from imagette.cluster.connection import cluster, shared_path
from imagette.data import Dataset
from imagette.errors import ImagetteError
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
    """Train and measure recipes, as many at once as there are cores (or GPUs) for.

    Args:
        out: folder of the benchmark, which all machines of the cluster have at the same path.
        recipes: each with its seed.
        data: what they learn from.
        data_dir: where to look for CIFAR-10 first.
        address: of a Ray cluster; None for one of its own on this machine.
        say: is told when one has ended.

    Raises:
        ImagetteError: the cluster cannot be reached, or a training failed.
    """
    if not recipes:
        return
    with cluster(address) as cores:
        import ray

        gpus = 1 if ray.cluster_resources().get("GPU") else 0
        cpus = 1 if gpus else max(1, min(_most_cores(), cores // len(recipes)))
        task = ray.remote(num_cpus=cpus, num_gpus=gpus)(_train)
        say(f"{len(recipes)} trainings side by side, {_cores(cpus)} each")
        pictures = ray.put(data)
        waiting = {
            task.remote(shared_path(out), recipe, pictures, data_dir, cpus): recipe
            for recipe in recipes
        }
        while waiting:
            (ended, *_), _ = ray.wait([*waiting])
            recipe = waiting.pop(ended)
            try:
                ray.get(ended)
            except ray.exceptions.RayTaskError as error:
                if isinstance(error.cause, ImagetteError):
                    raise error.cause from None
                raise
            say(f"{recipe.name}, seed {recipe.seed}: trained")


def _train(
    out: Path, recipe: Recipe, data: Dataset, data_dir: str | Path | None, threads: int
) -> None:
    import torch

    torch.set_num_threads(threads)
    train_recipe(out, recipe, data, data_dir, None)


def _most_cores() -> int:
    """Of one machine: no task is shared by several."""
    import ray

    return max(int(node["Resources"].get("CPU", 0)) for node in ray.nodes() if node["Alive"])


def _cores(number: int) -> str:
    return f"{number} core" if number == 1 else f"{number} cores"
