"""A trial: one recipe trained on a worker, which reports each epoch to Ray Tune."""

import time
from collections.abc import Iterator, Mapping
from typing import Any

from imagette.cluster.connection import kind_and_first_line
from imagette.data import Dataset
from imagette.errors import ImagetteError
from imagette.training.recipe import Recipe


def run_trial(config: dict[str, Any], data: Mapping[int, Any], threads: int) -> None:
    """What Ray Tune runs.

    A recipe that cannot be trained, or whose loss diverges, reports accuracy 0 and its `problem`:
    the trial has failed, and is not run again. Only a worker that is lost has its trial run again.

    Args:
        config: the trial's `recipe`, as `Recipe.to_dict` gives it, or the `problem` of values that
            make no valid recipe.
        data: for each image size a reference to the `Dataset` in Ray's object store.
        threads: of PyTorch.
    """
    from ray import get, tune

    from imagette.models.backend import load_torch_keras

    load_torch_keras()  # before the clock starts: a worker waits for that once
    began = time.perf_counter()
    epochs = 0
    try:
        if "problem" in config:
            raise ImagetteError(config["problem"], "")
        recipe = Recipe(**config["recipe"])
        for row in _learn(recipe, get(data[recipe.image_size]), threads):
            epochs = row["epochs"]
            tune.report(row | {"seconds": time.perf_counter() - began, "problem": ""})
    except Exception as error:  # of PyTorch or Keras too, which would fail again if run again
        problem = error.problem if isinstance(error, ImagetteError) else kind_and_first_line(error)
        row = {"accuracy": 0.0, "epochs": epochs, "finished": True, "problem": problem}
        tune.report(row | {"seconds": time.perf_counter() - began})


def _learn(recipe: Recipe, data: Dataset, threads: int) -> Iterator[dict[str, Any]]:
    """Train by the recipe as `imagette train` does.

    Yields:
        A row an epoch: `epochs` so far, `finished`, and the validation `accuracy` of the epoch that
        would be kept if training ended here.
    """
    import torch

    from imagette.training.by_epochs import build_network
    from imagette.training.hardware import choose_device, configure, release_memory
    from imagette.training.reporter import Reporter
    from imagette.training.state import State
    from imagette.training.teacher import load_teacher
    from imagette.training.trainer import train_epochs
    from imagette.training.transfer import begin_with_head, check_start, load_start

    release_memory()  # of the process's last trial, whose network may have been another
    torch.set_num_threads(threads)
    device = choose_device()
    configure(device)
    check_start(recipe.init_from, recipe.model)
    model = build_network(recipe, recipe.image_size, data)
    teacher = load_teacher(recipe.distillation.teacher, data)
    if data.validation is None:
        raise AssertionError("a trial is measured on the validation split")
    plan = recipe.resolve("cuda" if device.type == "cuda" else "cpu", len(data.train))
    if plan.init_from:
        load_start(model, plan.init_from)
        begin_with_head(model, data.train, data.validation, Reporter())
    for state in train_epochs(model, data.train, data.validation, plan, State(), teacher=teacher):
        kept = state.history[state.best_epoch - 1]
        yield {
            "accuracy": kept["val_accuracy"],
            "epochs": state.epoch,
            "finished": state.finished(plan),
        }
