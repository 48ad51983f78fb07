"""A training by epochs, shared by the workers of a cluster by Ray Train."""

import os
import pickle
import shutil
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import ray
import ray.train
from ray.train import Checkpoint, CheckpointConfig, FailureConfig, RunConfig, ScalingConfig
from ray.train.torch import TorchTrainer
from ray.util.queue import Empty, Queue
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
from torch import Tensor

from imagette.data.dataset import Split
from imagette.errors import ImagetteError
from imagette.models.backend import load_torch_keras
from imagette.training.checkpoint import load_checkpoint, save_checkpoint
from imagette.training.recipe import Recipe
from imagette.training.state import EpochProgress, State
from imagette.training.trainer import train_epochs
from imagette.training.weights import get_weights, set_weights

if TYPE_CHECKING:
    import keras

_MOST_FAILURES = 5
"""So often workers may be lost in one training; each time it goes on from its last whole epoch."""
_SECONDS_FOR_PLACES = 10
"""Ray, which may count on a machine that it has not yet seen die, waits so long for the places that
it wants there before it counts again; by default a minute. Places are there at once, or never."""
_FOLDER = ".ray"
"""In the run's folder, what Ray keeps while the training lasts."""


@dataclass(frozen=True)
class Model:
    """A Keras model as it is sent: what it is made of, and its weights."""

    description: str
    weights: list[Tensor]

    @classmethod
    def of(cls, model: "keras.Model") -> Self:
        return cls(model.to_json(), get_weights(model))

    def build(self) -> "keras.Model":
        model = load_torch_keras().models.model_from_json(self.description)
        set_weights(model, self.weights)
        return model


@dataclass(frozen=True)
class Work:
    """What every worker needs; the arguments of `train_epochs`."""

    model: Model
    train: Split
    validation: Split
    recipe: Recipe
    state: State
    teacher: Model | None

    @classmethod
    def of(
        cls,
        model: "keras.Model",
        train: Split,
        validation: Split,
        recipe: Recipe,
        state: State,
        teacher: "keras.Model | None",
    ) -> Self:
        taught = Model.of(teacher) if teacher else None
        # Pixels that are mapped from a file go as an array, which is spilled to disk if it must.
        first, other = (Split(np.asarray(one.images), one.labels) for one in (train, validation))
        return cls(Model.of(model), first, other, recipe, state, taught)


def train_epochs_on(
    folder: Path,
    workers: int | None,
    work: Work,
    on_progress: Callable[[EpochProgress], None],
    on_eta: Callable[[float], None],
) -> Iterator[State]:
    """Train as `imagette.training.trainer.train_epochs` does, on so many workers.

    A worker that is lost costs the epoch under way: those that are left go on from the last
    checkpoint, and others join them when there are any.

    Args:
        folder: the run's; all machines must have it under the same path.
        workers: how many; None for one a machine or, where there are GPUs, one a GPU.
        work: what each of them needs.
        on_progress: called now and then during an epoch.
        on_eta: called once before the first, with about how many seconds all epochs will take.

    Yields:
        The state after each epoch.

    Raises:
        ImagetteError: they do not fit into the cluster, too many were lost, or what
            `train_epochs` raises.
    """
    kept = folder.resolve() / _FOLDER
    shutil.rmtree(kept, ignore_errors=True)
    os.environ.setdefault("RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S", str(_SECONDS_FOR_PLACES))
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    told = Queue(actor_options={"num_cpus": 0, "scheduling_strategy": here})
    trainer = TorchTrainer(
        _learn,
        train_loop_config={"work": ray.put(work), "told": told},
        scaling_config=_scaling(workers),
        run_config=RunConfig(
            name="training",
            storage_path=str(kept),
            failure_config=FailureConfig(max_failures=_MOST_FAILURES),
            checkpoint_config=CheckpointConfig(num_to_keep=1),
        ),
    )
    fitting = _Fitting(trainer)
    reached = work.state.epoch
    try:
        for value in _heard(told, fitting):
            if isinstance(value, EpochProgress):
                on_progress(value)
            elif isinstance(value, float):
                on_eta(value)
            elif isinstance(value, ImagetteError):
                raise value
            elif value.epoch > reached:  # not one that is done again
                reached = value.epoch
                yield value
        if fitting.error:
            raise _given_up(fitting.error)
    finally:
        shutil.rmtree(kept, ignore_errors=True)


class _Fitting(threading.Thread):
    """Ray's `fit`, which tells nothing until its end."""

    def __init__(self, trainer: TorchTrainer) -> None:
        super().__init__(daemon=True)
        self.trainer = trainer
        self.error: Exception | None = None
        self.start()

    def run(self) -> None:
        try:
            self.trainer.fit()
        except Exception as error:  # of Ray, or what a worker raised
            self.error = error


def _heard(
    told: Queue, fitting: _Fitting
) -> Iterator[EpochProgress | float | State | ImagetteError]:
    """What the first worker tells: its progress, the time left, a state, or an error."""
    while True:
        over = not fitting.is_alive()
        try:
            value = told.get(timeout=0.5)
        except Empty:
            if over:
                return
        else:
            yield pickle.loads(value)


def _learn(config: dict[str, Any]) -> None:
    """What each worker does."""
    # The pixels lie in memory that all workers of a machine share, and only read.
    warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
    work: Work = ray.get(config["work"])
    first = ray.train.get_context().get_world_rank() == 0

    def tell(value: EpochProgress | float | State | ImagetteError) -> None:
        if first:
            config["told"].put(pickle.dumps(value))

    state = work.state
    if checkpoint := ray.train.get_checkpoint():
        with checkpoint.as_directory() as place:
            state = load_checkpoint(Path(place))
    teacher = work.teacher.build() if work.teacher else None
    try:
        for reached in train_epochs(
            work.model.build(), work.train, work.validation, work.recipe, state,
            tell, tell, teacher,
        ):  # fmt: skip
            with tempfile.TemporaryDirectory() as place:
                if first:
                    save_checkpoint(Path(place), reached)
                kept = Checkpoint.from_directory(place) if first else None
                ray.train.report({}, checkpoint=kept)
            tell(reached)
    except ImagetteError as error:  # which comes to all of them, and would come again
        tell(error)


def _scaling(workers: int | None) -> ScalingConfig:
    """One worker a GPU where there are some, otherwise with as many cores as there are for each."""
    alive = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    gpus = int(sum(each.get("GPU", 0) for each in alive))
    cores = [int(each.get("CPU", 0)) for each in alive]
    if gpus and (workers or gpus) <= gpus:
        return ScalingConfig(num_workers=(1, workers or gpus), use_gpu=True)  # type: ignore[arg-type]
    workers = workers or sum(1 for each in cores if each)
    if not workers or sum(cores) < workers:
        raise ImagetteError(
            f"The cluster has {sum(cores)} cores, and {workers} workers need one each.",
            "Ask for fewer --workers, or add machines to the cluster.",
        )
    each = next(
        some for some in range(max(cores), 0, -1) if sum(one // some for one in cores) >= workers
    )
    return ScalingConfig(
        num_workers=(1, workers),  # type: ignore[arg-type]  # of what Ray had before
        resources_per_worker={"CPU": each},
    )


def _given_up(error: Exception) -> ImagetteError:
    last = (str(error).strip().splitlines() or [type(error).__name__])[-1]
    return ImagetteError(
        f"The cluster could not go on with the training: {last.rstrip('.')}.",
        "Whole epochs are kept. See that all machines have Imagette and the run's folder under the"
        " same path, and run the command again with --resume.",
    )
