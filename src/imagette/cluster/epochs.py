"""A training by epochs, shared by the workers of a cluster by Ray Train."""

import os
import pickle
import shutil
import tempfile
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
from torch import Tensor

from imagette.cluster.connection import on_this_machine
from imagette.cluster.features import reason
from imagette.data.dataset import Split
from imagette.errors import ImagetteError
from imagette.models.backend import load_torch_keras
from imagette.training.checkpoint import from_bytes, load_checkpoint, save_checkpoint, to_bytes
from imagette.training.recipe import Recipe
from imagette.training.state import EpochProgress, State
from imagette.training.trainer import train_epochs
from imagette.training.weights import get_weights, set_weights

if TYPE_CHECKING:
    import keras

_MOST_FAILURES = 5
"""In one training; after each, it goes on from its last whole epoch."""
_ENVIRONMENT = {
    # After a machine died, Ray may try to start workers on it. It gives up after so many seconds
    # (by default 60) and counts the machines again.
    "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "10",
    # So often Ray collects what the workers report (by default every 2 seconds). An epoch ends
    # only when its checkpoint has been collected.
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.25",
}
_NO_GPU = {"env_vars": {"CUDA_VISIBLE_DEVICES": ""}}
"""Where there are too few for all workers, none uses one: the recipe is then that of CPUs."""
_NEVER = 1e9
"""Seconds after which Ray looks whether more workers, or fewer, could share a training that runs.
It would start anew with them, so that on a cluster that others use, too, epochs would be lost again
and again. When a worker was lost, Ray counts the machines in any case."""
_FOLDER = ".ray"
"""In the run's folder: Ray's checkpoints, until the training ends."""


@dataclass(frozen=True)
class Model:
    """A Keras model as it is sent to workers: its configuration and its weights."""

    configuration: str
    weights: list[Tensor]

    @classmethod
    def of(cls, model: "keras.Model") -> Self:
        return cls(model.to_json(), get_weights(model))

    def build(self) -> "keras.Model":
        model = load_torch_keras().models.model_from_json(self.configuration)
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
        # An array that is mapped from a file is sent as an array: Ray holds it in memory, or on
        # disk where memory is short.
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

    When a worker is lost, the epoch under way is lost too: all begin it again from the last
    checkpoint, with the workers that there is room for then. At the start, too, they may be fewer
    than wanted. Otherwise their number does not change.

    Args:
        folder: the run's; all machines must have it under the same path.
        workers: how many; None for one a machine or, where there are GPUs, one a GPU.
        work: what each of them needs.
        on_progress: called now and then during an epoch.
        on_eta: called once before the first, with about how many seconds all epochs will take.

    Yields:
        The state after each epoch.

    Raises:
        ImagetteError: the cluster has too few cores, workers were lost too often, or what
            `train_epochs` raises.
    """
    kept = folder.resolve() / _FOLDER
    shutil.rmtree(kept, ignore_errors=True)
    options: dict[str, Any] = {"num_cpus": 0, "scheduling_strategy": on_this_machine()}
    messages = Queue(actor_options=options)
    trainer = TorchTrainer(
        _learn,
        train_loop_config={"work": ray.put(work), "messages": messages},
        scaling_config=_scaling(workers),
        run_config=RunConfig(  # type: ignore[call-arg]  # typed for Ray's older RunConfig
            name="training",
            storage_path=str(kept),
            failure_config=FailureConfig(max_failures=_MOST_FAILURES),
            checkpoint_config=CheckpointConfig(num_to_keep=1),
            worker_runtime_env=_NO_GPU if _gpus() and not trains_on_gpus(workers) else None,
        ),
    )
    # A task of its own, which can be ended when the caller wants no further epoch.
    fitting = ray.remote(_fit).options(max_retries=0, **options).remote(trainer)
    reached = work.state.epoch
    try:
        for value in _receive(messages, fitting):
            if isinstance(value, EpochProgress):
                on_progress(value)
            elif isinstance(value, float):
                on_eta(value)
            elif isinstance(value, ImagetteError):
                raise value
            elif value.epoch > reached:
                reached = value.epoch
                yield value
        ray.get(fitting)
    except ray.exceptions.RayError as error:
        raise _given_up(error) from error
    finally:
        ray.cancel(fitting, force=True)
        shutil.rmtree(kept, ignore_errors=True)


def _fit(trainer: TorchTrainer) -> None:
    os.environ.update(_ENVIRONMENT)
    trainer.fit()


def _receive(
    messages: Queue, fitting: ray.ObjectRef
) -> Iterator[EpochProgress | float | State | ImagetteError]:
    """What the first worker sends: its progress, the time left, a state, or an error."""
    while True:
        ended, _ = ray.wait([fitting], timeout=0)
        try:
            value = messages.get(timeout=0.5)
        except Empty:
            if ended:
                return
        else:
            value = pickle.loads(value)
            yield from_bytes(value) if isinstance(value, bytes) else value


def _learn(config: dict[str, Any]) -> None:
    """What each worker does."""
    # The pixels lie in memory that all workers of a machine share and only read.
    warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
    work: Work = ray.get(config["work"])
    first = ray.train.get_context().get_world_rank() == 0

    def send(value: EpochProgress | float | State | ImagetteError) -> None:
        if first:
            sent = to_bytes(value) if isinstance(value, State) else value
            config["messages"].put(pickle.dumps(sent))

    state = work.state
    if checkpoint := ray.train.get_checkpoint():
        with checkpoint.as_directory() as place:
            state = load_checkpoint(Path(place))
        # Its epoch was perhaps kept and not sent, and it may have been the last one.
        send(state)
    teacher = work.teacher.build() if work.teacher else None
    try:
        for reached in train_epochs(
            work.model.build(), work.train, work.validation, work.recipe, state,
            send, send, teacher,
        ):  # fmt: skip
            with tempfile.TemporaryDirectory() as place:
                if first:
                    save_checkpoint(Path(place), reached)
                kept = Checkpoint.from_directory(place) if first else None
                ray.train.report({}, checkpoint=kept)
            if first:
                # Waits until Ray has the checkpoint: an epoch that the driver knows of is not lost.
                ray.train.get_all_reported_checkpoints()
            send(reached)
    except ImagetteError as error:  # all workers have it, and would have it again
        send(error)


def trains_on_gpus(workers: int | None) -> bool:
    """Whether each of so many workers (None for as many as there are GPUs) gets a GPU."""
    return 0 < (workers or _gpus()) <= _gpus()


def _gpus() -> int:
    return int(sum(node.get("GPU", 0) for node in _machines()))


def _machines() -> list[dict[str, float]]:
    """The resources of each that is alive."""
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def _scaling(workers: int | None) -> ScalingConfig:
    """One GPU for each worker where there are enough; otherwise cores, as many as all can have."""
    at_most: dict[str, Any] = {"elastic_resize_monitor_interval_s": _NEVER}
    if trains_on_gpus(workers):
        return ScalingConfig(num_workers=(1, workers or _gpus()), use_gpu=True, **at_most)  # type: ignore[arg-type]
    cores = [int(node.get("CPU", 0)) for node in _machines()]
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
        num_workers=(1, workers),  # type: ignore[arg-type]  # typed for Ray's older ScalingConfig
        resources_per_worker={"CPU": each},
        **at_most,
    )


def _given_up(error: Exception) -> ImagetteError:
    return ImagetteError(
        f"The cluster could not go on with the training: {reason(error)}.",
        "Whole epochs are kept. See that all machines have Imagette and the run's folder under the"
        " same path, and run the command again with --resume.",
    )
