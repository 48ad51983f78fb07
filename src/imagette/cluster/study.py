"""The trials of a search: Optuna's study in SQLite, whose transactions survive a kill."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search.optuna import OptunaSearch

from imagette.cluster.search_space import SearchSpace
from imagette.errors import ImagetteError
from imagette.training.absolute_paths import absolute_recipe
from imagette.training.recipe import Recipe
from imagette.training.recipe_tables import to_tables

METRIC = "accuracy"
_NAME = "imagette"
_REDUCTION = 3
"""At each rung the best third of the trials goes on (Li et al., *A System for Massively Parallel
Hyperparameter Tuning*, 2020, who use 3 or 4)."""
MAX_FAILURES = 10
"""How often a trial whose worker was lost begins anew. Not once, because Ray gives it the machine
that is gone again until it has noticed."""
_INSTEAD_OF, _END = "instead of", "end"
"""Of a trial, in Optuna's study: which one it runs again, and how it ended."""


def open_study(folder: Path) -> optuna.Study:
    """The study of a folder; its interrupted trials are enqueued to be run again.

    Raises:
        ImagetteError: its file is damaged.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    # Optuna warns of each epoch of a trial that began anew on another worker.
    warnings.filterwarnings("ignore", message="The reported value is ignored")
    try:
        storage = optuna.storages.RDBStorage(f"sqlite:///{(folder / 'study.db').resolve()}")
        study = optuna.create_study(
            storage=storage, study_name=_NAME, direction="maximize", load_if_exists=True
        )
        enqueue_interrupted(study)
    except Exception as error:  # of SQLite, by way of SQLAlchemy and of Optuna
        raise ImagetteError(
            f"{folder / 'study.db'} is damaged and cannot be read.",
            "Restore it from a copy, or start a new search under another --name.",
        ) from error
    return study


def enqueue_interrupted(study: optuna.Study) -> None:
    """Enqueue the values of each trial that was running when its search was stopped, once."""
    enqueued = {trial.user_attrs.get(_INSTEAD_OF) for trial in study.get_trials(deepcopy=False)}
    for trial in study.get_trials(states=[TrialState.RUNNING]):
        if _END in trial.user_attrs and trial.intermediate_values:  # it had ended
            study.tell(trial.number, trial.intermediate_values[max(trial.intermediate_values)])
            continue
        # Of an enqueued trial killed before it took its values, these are all there is.
        values = trial.system_attrs.get("fixed_params", {}) | trial.params
        # First enqueued, then closed, and noted: a kill between the two neither loses nor doubles.
        if values and _END not in trial.user_attrs and trial.number not in enqueued:
            study.enqueue_trial(values, user_attrs={_INSTEAD_OF: trial.number})
        study.tell(trial.number, state=TrialState.FAIL)


@contextmanager
def writing_study(folder: Path) -> Iterator[None]:
    """While trials run, turn a failure to write the study into an error that says so.

    Raises:
        ImagetteError: it cannot; trials that have ended are kept.
    """
    try:
        yield
    except optuna.exceptions.StorageInternalError as error:
        raise ImagetteError(
            f"{folder / 'study.db'} could not be written.",
            "Free some space, then go on with the same command and --resume.",
        ) from error


def ended(study: optuna.Study) -> list[FrozenTrial]:
    """The trials that have ended, in that order, without those that were interrupted."""
    found = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE, TrialState.FAIL])
    real = [
        trial for trial in found if trial.state == TrialState.COMPLETE or _END in trial.user_attrs
    ]
    return sorted(real, key=lambda trial: (trial.datetime_complete, trial.number))


def rows(study: optuna.Study, space: SearchSpace) -> list[dict[str, Any]]:
    """A row for each trial that has ended, in that order.

    Returns:
        In each, `trial` (its number from 1), the searched fields by dotted name, `val_accuracy` (a
        fraction; None where it failed), `epochs`, `seconds`, `ended` (`finished`, `stopped early`
        by ASHA, or `failed`) and `problem`.
    """
    return [
        {
            "trial": number,
            **space.values(trial.params),
            "val_accuracy": None if _failed(trial) else trial.value,
            **trial.user_attrs[_END],
        }
        for number, trial in enumerate(ended(study), start=1)
    ]


def _failed(trial: FrozenTrial) -> bool:
    failed: bool = trial.user_attrs[_END]["ended"] == "failed"
    return failed


def importances(study: optuna.Study) -> dict[str, float]:
    """The share of the variance between trials that each field explains, the largest first.

    By fANOVA (Hutter et al., *An Efficient Approach for Assessing Hyperparameter Importance*,
    2014), of the accuracies after as many epochs as every trial made: those stopped early have no
    others. Without trials that failed. Empty with fewer than two different accuracies.
    """
    trials = [one for one in ended(study) if one.intermediate_values and not _failed(one)]
    epoch = min((max(one.intermediate_values) for one in trials), default=0)
    comparable = optuna.create_study(direction="maximize")
    for one in trials:
        value = one.intermediate_values[epoch]
        comparable.add_trial(
            optuna.trial.create_trial(
                params=one.params, distributions=one.distributions, value=value
            )
        )
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    try:
        return optuna.importance.get_param_importances(comparable, evaluator=evaluator)
    except (RuntimeError, ValueError):  # too few trials, or all with the same values or accuracy
        return {}


def make_scheduler(study: optuna.Study, recipe: Recipe, space: SearchSpace) -> ASHAScheduler:
    """ASHA, which compares new trials with those of earlier sessions too."""
    epochs = max(1, -int(-space.largest(recipe, "epochs") // 1))
    scheduler = ASHAScheduler(
        metric=METRIC, mode="max", max_t=epochs, reduction_factor=_REDUCTION,
        grace_period=max(1, epochs // _REDUCTION**2),
    )  # fmt: skip
    for trial in ended(study):
        earlier: Any = SimpleNamespace(trial_id=f"earlier-{trial.number}")
        controller: Any = None
        scheduler.on_trial_add(controller, earlier)
        for epoch, accuracy in sorted(trial.intermediate_values.items()):
            told = {"training_iteration": epoch, METRIC: accuracy}
            scheduler.on_trial_result(controller, earlier, told)
    return scheduler


class Search(OptunaSearch):
    """Optuna's search (TPE), which keeps its study in a file.

    Args:
        study: holds the trials.
        recipe: the recipe that trials change.
        space: the fields to change.
        on_end: called when a trial has ended and is in the study.
    """

    def __init__(
        self, study: optuna.Study, recipe: Recipe, space: SearchSpace, on_end: Callable[[], None]
    ) -> None:
        if not study.trials and (own := space.parameters(recipe)):
            study.enqueue_trial(own)  # the baseline
        # Each session has its own seed: the same one would suggest the same values again.
        sampler = optuna.samplers.TPESampler(
            seed=(recipe.seed + len(study.trials)) % 2**32, multivariate=True, constant_liar=True
        )

        def choose(trial: optuna.Trial) -> dict[str, Any]:
            values = {field.name: field.suggest(trial) for field in space.fields}
            try:
                changed = recipe.change(**to_tables(values))
                return {"recipe": absolute_recipe(changed).to_dict()}
            except ImagetteError as error:
                return {"problem": error.problem}

        super().__init__(
            space=choose, metric=METRIC, mode="max", sampler=sampler, study_name=_NAME,
            storage=study._storage,
        )  # fmt: skip
        self._on_end: Callable[[], None] | None = on_end

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Add to Optuna's record how the trial ended."""
        told = result or {}
        problem = told.get("problem", "")
        if error:
            problem = f"Its worker was lost {MAX_FAILURES + 1} times; perhaps memory is too small."
        ended = "finished" if told.get("finished") else "stopped early"
        end = {
            "epochs": told.get("epochs", 0),
            "seconds": told.get("seconds", 0.0),
            "ended": "failed" if problem else ended,
            "problem": problem,
        }
        self._ot_trials[trial_id].set_user_attr(_END, end)
        super().on_trial_complete(trial_id, None if error else result, error)
        if self._on_end:
            self._on_end()

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_on_end": None}

    def save(self, checkpoint_path: str) -> None:
        """Do nothing: the study holds everything."""

    def restore(self, checkpoint_path: str) -> None:
        """Do nothing: the study holds everything."""
