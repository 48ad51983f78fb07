"""The bundle of a run that was stopped, which is made when somebody asks for it."""

from collections.abc import Callable
from pathlib import Path

from imagette.data import open_source
from imagette.runs import read_run
from imagette.training.hardware import choose_device, configure
from imagette.training.job import Job
from imagette.training.keras_files import load_keras_file
from imagette.training.recipe import Recipe
from imagette.training.reporter import Reporter
from imagette.training.resume import claimed
from imagette.training.save_network import save_bundle_of
from imagette.training.training_data import learned_digests, load_data


def make_missing_bundle(
    run: str | Path,
    dataset: str | Path | None = None,
    *,
    data_dir: str | Path | None = None,
    on_step: Callable[[str], None] = lambda name: None,
) -> None:
    """Make the bundle of a run that was stopped, of the best network that it has saved.

    Nothing is done for what is no run, has saved no network, or has a bundle.

    Args:
        run: the folder.
        dataset: where to look for the pictures that it learned from, if they are no longer where
            they were.
        data_dir: where to look for CIFAR-10 first.
        on_step: called with the name of each step as it begins.

    Raises:
        ImagetteError: the run is damaged or in use, or its pictures are no longer the same.
    """
    folder = Path(run)
    if (folder / "model.onnx").is_file() or not (folder / "model.keras").is_file():
        return
    info = read_run(folder).info
    if info is None:
        return
    place = Path(info.dataset)
    if dataset is None or not place.is_absolute() or place.exists():
        info.check_there(f"imagette evaluate {folder} FOLDER")
        dataset = info.dataset
    data_dir = data_dir or info.data_dir
    found = open_source(dataset, data_dir)
    with claimed(folder):
        configure(choose_device())
        recipe = Recipe.load(folder / "recipe.toml")
        job = Job(folder, recipe, found, data_dir, info, Reporter())
        data = load_data(job)
        told = job.about_pictures(data.by_name, learned_digests(job, data.final))
        save_bundle_of(job, load_keras_file(folder / "model.keras"), data, told, on_step)
