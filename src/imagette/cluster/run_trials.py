"""Trials of a search, run side by side by Ray Tune."""

import logging
import math
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

import optuna
import ray
from ray import tune
from ray.exceptions import OutOfMemoryError

from imagette.cluster.study import (
    MAX_FAILURES,
    Search,
    ended,
    enqueue_interrupted,
    make_scheduler,
)
from imagette.cluster.trial import run_trial
from imagette.cluster.tune_folder import TuneInfo
from imagette.data import Dataset
from imagette.errors import ImagetteError

_QUIET = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
}
"""Keeps Ray Tune from printing tables, writing files, handling signals and changing folder."""


class Share(NamedTuple):
    """What each trial gets."""

    cores: int
    gpus: int


def share_of_a_trial(trials: int) -> Share:
    """A GPU if the cluster has any, else a part of the cores of one machine.

    Args:
        trials: of the whole search, so that those of a later session get as many.
    """
    machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    cores = [int(each.get("CPU", 0)) for each in machines]
    if any(each.get("GPU", 0) for each in machines):
        return Share(1, 1)
    return Share(max(1, min(sum(cores) // trials, max(cores))), 0)


def run_trials(
    study: optuna.Study,
    info: TuneInfo,
    data: Mapping[int, Dataset],
    share: Share,
    on_end: Callable[[], None],
    minutes: float | None = None,
) -> str:
    """Run the trials that are left.

    Args:
        study: holds those that have ended.
        info: what is tried, and how often.
        data: for each image size the train and validation splits.
        share: what each trial gets.
        on_end: called when a trial has ended and is in the study.
        minutes: after which those that run are interrupted, and no other is run.

    Returns:
        The last line of an error of a trial, if there was one.

    Raises:
        ImagetteError: workers were killed for lack of memory again and again.
    """
    for variable, value in _QUIET.items():
        os.environ.setdefault(variable, value)
    # Ray Tune would print a traceback for a lost worker, though its trial begins anew.
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
    references = {size: ray.put(each) for size, each in data.items()}
    deadline = math.inf if minutes is None else time.monotonic() + 60 * minutes
    for _ in range(MAX_FAILURES + 1):
        try:
            return _run(study, info, references, share, on_end, deadline)
        except RuntimeError as error:
            # Ray Tune gives up at this one error; all trials that were running begin anew.
            if not isinstance(error.__cause__, OutOfMemoryError):
                raise
            enqueue_interrupted(study)
    raise ImagetteError(
        f"Workers were killed {MAX_FAILURES + 1} times because memory was short.",
        "Close other programs, or search on a machine with more memory for each core; then go on"
        " with the same command and --resume.",
    )


def _run(
    study: optuna.Study,
    info: TuneInfo,
    references: Mapping[int, ray.ObjectRef],
    share: Share,
    on_end: Callable[[], None],
    deadline: float,
) -> str:
    left = info.trials - len(ended(study))
    seconds = None if math.isinf(deadline) else max(0.0, deadline - time.monotonic())
    trainable = tune.with_parameters(run_trial, data=references, threads=share.cores)
    with tempfile.TemporaryDirectory(prefix="imagette-tune-") as scratch:
        tuner = tune.Tuner(
            tune.with_resources(trainable, {"cpu": share.cores, "gpu": share.gpus}),
            tune_config=tune.TuneConfig(
                search_alg=Search(study, info.base, info.space, on_end),
                scheduler=make_scheduler(study, info.base, info.space),
                num_samples=left, reuse_actors=True,
                time_budget_s=seconds,
                trial_dirname_creator=lambda trial: trial.trial_id,
            ),
            run_config=tune.RunConfig(
                name="trials", storage_path=scratch, verbose=0,
                failure_config=tune.FailureConfig(max_failures=MAX_FAILURES),
            ),
        )  # fmt: skip
        errors = tuner.fit().errors
    return str(errors[0]).strip().splitlines()[-1] if errors else ""
