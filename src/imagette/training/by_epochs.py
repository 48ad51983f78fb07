"""A training by epochs: the network learns, and what it comes to is written into the run folder."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from imagette.data import DataSource
from imagette.errors import ImagetteError
from imagette.evaluation import evaluate
from imagette.files import write_csv
from imagette.interrupts import stops_answered, stops_held
from imagette.models import APPLICATIONS, build_model, count_parameters
from imagette.models.applications import IMAGENET
from imagette.models.backend import load_torch_keras
from imagette.runs import RunInfo
from imagette.training.checkpoint import load_checkpoint, save_checkpoint
from imagette.training.hardware import choose_device, configure
from imagette.training.job import Job
from imagette.training.last_steps import (
    CALIBRATE,
    COMPARE,
    EXPORT,
    FAMILIARITY,
    SAVE,
    estimate_last_steps,
)
from imagette.training.recipe import Recipe
from imagette.training.resume import check_device
from imagette.training.save_network import record_evaluation, save_bundle_of, save_weights
from imagette.training.state import State
from imagette.training.teacher import check_teacher, load_teacher
from imagette.training.trainer import DivergedError
from imagette.training.training_data import TrainingData, learned_digests, load_data
from imagette.training.transfer import (
    FittedHead,
    average_with_start,
    begin_with_head,
    check_start,
    keep_better,
    load_start,
)
from imagette.training.weights import set_weights

if TYPE_CHECKING:
    import keras
    from torch import Tensor


def train_by_epochs(job: Job) -> dict[str, Any]:
    """Train a network, or go on with it; returns its metrics.

    Raises:
        ImagetteError: the data, the recipe, its start or its teacher cannot be used, or the loss is
            no longer a number.
        KeyboardInterrupt: stopped by Ctrl-C; the best network so far has been saved, without a
            bundle.
    """
    folder, recipe = job.folder, job.recipe
    device = _prepare(job)
    model = build_network(recipe, recipe.image_size, job.found)
    final = _build_final(model, recipe, job.found)
    data = load_data(job)
    state, teacher = load_checkpoint(folder), None
    if not state.settled:
        teacher = load_teacher(recipe.distillation.teacher, data.dataset)
        if recipe.init_from:
            load_start(model, recipe.init_from)
    job.write_choices()
    info = job.make_info(data.final.train.fingerprint(), device, count_parameters(model))
    _write_info(job, info, state)
    plan = recipe.resolve(device, len(data.train))
    job.reporter.on_start(folder, plan, data.dataset, state.epoch)
    if state.settled or state.finished(plan):
        seconds_a_picture = 1 / state.history[-1]["pictures_per_second"]
        job.reporter.on_eta(0, _last_steps(job, plan, data, state, seconds_a_picture))
    if not state.settled:
        state, head = _learn(job, plan, model, final, teacher, data, state, info)
        state = _settle(job, plan, model, final, data, state, head)
    _write_info(job, info, state)  # the epoch that was kept, for the report
    if job.drops_samples or not (folder / "model.onnx").is_file():
        set_weights(final, state.best_weights)
        told = job.about_pictures(data.by_name, learned_digests(job, data.final))
        save_bundle_of(job, final, data, told, job.reporter.on_step)
    metrics = evaluate(folder, job.found, on_step=job.reporter.on_step).metrics
    record_evaluation(folder, metrics)
    _write_info(job, info, state, finished=True)
    (folder / "checkpoint.pt").unlink(missing_ok=True)
    return metrics


def _prepare(job: Job) -> Literal["cpu", "cuda"]:
    """Check what can be checked at once; which device the epochs run on, `cpu` or `cuda`."""
    check_start(job.recipe.init_from, job.recipe.model)
    configure(choose_device())
    if job.recipe.distillation.teacher:
        check_teacher(Path(job.recipe.distillation.teacher))
    device = job.workers.device_type
    if job.earlier:
        check_device(job.folder, job.earlier, device)
    return device


def _learn(
    job: Job,
    plan: Recipe,
    model: "keras.Model",
    final: "keras.Model",
    teacher: "keras.Model | None",
    data: TrainingData,
    state: State,
    info: RunInfo,
) -> tuple[State, FittedHead | None]:
    """Make the epochs, each with its checkpoint; what was learned is saved after a stop, too."""
    reporter, head = job.reporter, None
    pictures = (plan.epochs - state.epoch) * plan.epoch_repeats * len(data.train)

    def estimate(seconds: float) -> None:
        reporter.on_eta(seconds, _last_steps(job, plan, data, state, seconds / pictures))

    try:
        if plan.init_from:  # after a stop, too: to compare with, in the end
            head = begin_with_head(model, data.train, data.validation, reporter)
        for reached in job.workers.train_epochs(
            job.folder, model, data.train, data.validation, plan, state,
            reporter.on_progress, estimate, teacher,
        ):  # fmt: skip
            with stops_held():
                state = reached
                save_checkpoint(job.folder, state)
                write_csv(job.folder / "history.csv", state.history)
                _write_info(job, info, state)
            reporter.on_epoch(state.history[-1], best=state.best_epoch == state.epoch)
    except (KeyboardInterrupt, DivergedError):
        # The average needs the fitted head; until there is one, what an earlier stop saved stays.
        if state.epoch and (head or not plan.pretrained_share):
            with stops_answered(reporter.on_second_stop):
                reporter.on_stop()
                save_weights(job.folder, final, _averaged(plan, state, head))
        raise
    return state, head


def _averaged(plan: Recipe, state: State, head: FittedHead | None) -> "list[Tensor]":
    if head is None:
        return state.best_weights
    return average_with_start(state.best_weights, head, plan.pretrained_share)


def _settle(
    job: Job,
    plan: Recipe,
    model: "keras.Model",
    final: "keras.Model",
    data: TrainingData,
    state: State,
    head: FittedHead | None,
) -> State:
    """Save what was learned and, where the network began with others' weights, choose whether it is
    better than the fitted last layer alone. From then on nothing needs to be trained anew."""
    job.reporter.on_step(SAVE)
    state = replace(state, best_weights=_averaged(plan, state, head))
    with stops_held():
        save_weights(job.folder, final, state.best_weights)
    if head:
        job.reporter.on_step(COMPARE)
        state = keep_better(model, data.validation, head, state, job.reporter)
    with stops_held():
        if not state.best_epoch:
            save_weights(job.folder, final, state.best_weights)
        state = state.settle()
        save_checkpoint(job.folder, state)
    return state


def _last_steps(
    job: Job, plan: Recipe, data: TrainingData, state: State, seconds_a_picture: float
) -> dict[str, float]:
    """The last steps that are left to do, and about how many seconds each takes."""
    done = {SAVE, COMPARE} if state.settled else set()
    if state.settled and (job.folder / "model.onnx").is_file():
        done |= {CALIBRATE, EXPORT, FAMILIARITY}
    steps = estimate_last_steps(plan, data, seconds_a_picture)
    return {name: seconds for name, seconds in steps.items() if name not in done}


def build_network(recipe: Recipe, size: int, found: DataSource) -> "keras.Model":
    """The recipe's network for these classes and a size, its weights drawn from the seed."""
    load_torch_keras().utils.set_random_seed(recipe.seed)
    published = recipe.model in APPLICATIONS or recipe.init_from == IMAGENET
    return build_model(
        recipe.model,
        input_shape=(size, size, 3),
        classes=len(found.class_names),
        **recipe.model_options,
        **({"weights": recipe.init_from} if published else {}),
    )


def _build_final(model: "keras.Model", recipe: Recipe, found: DataSource) -> "keras.Model":
    """The network that is saved: `model`, or one of the same weights that is asked at another size.

    Raises:
        ImagetteError: at another size it has other weights.
    """
    if not recipe.inference_size:
        return model
    final = build_network(recipe, recipe.inference_size, found)
    if [each.shape for each in final.weights] != [each.shape for each in model.weights]:
        raise ImagetteError(
            f"The network {recipe.model} has weights that only fit pictures of"
            f" {recipe.image_size} pixels.",
            "Leave inference_size at 0.",
        )
    return final


def _write_info(job: Job, info: RunInfo, state: State, finished: bool = False) -> None:
    """Write how far a run has come into its `run.json`."""
    progress = {
        "epochs": state.epoch,
        "best_epoch": state.best_epoch or None,
        "seconds": sum(row["seconds"] for row in state.history),
        "finished": finished,
    }
    job.write_info(info.model_copy(update=progress))
