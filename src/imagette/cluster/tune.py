"""A search for a better recipe: trials on a Ray cluster, suggested by Optuna, stopped by ASHA.

    tune/<name>/
        recipe.toml      the recipe that the trials change
        space.toml       the search space
        tune.json        the dataset and the number of trials
        study.db         every trial (Optuna's study in SQLite), from which --resume goes on
        trials.csv       a row a trial that has ended
        trials.png       validation accuracy over trials, and over the values of each field
        importance.csv   the share of the variance between trials that each field explains
        best.toml        the best recipe so far, for `--recipe`
        trial-<n>/       the run folder of the best recipe, trained and measured in the end

Trials are compared on the same validation split. Only the run of the best recipe, after all
trials, looks at the test split.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagette.cluster.connection import cluster, wait_for_a_machine
from imagette.cluster.search_space import SearchSpace
from imagette.cluster.tune_folder import Asked, TuneInfo, open_folder
from imagette.data import Dataset, DataSource
from imagette.errors import ImagetteError
from imagette.files import write_bytes, write_csv
from imagette.training.absolute_paths import absolute_recipe
from imagette.training.job import Job
from imagette.training.recipe import Recipe
from imagette.training.recipe_tables import to_dotted, to_tables
from imagette.training.reporter import Reporter
from imagette.training.resume import claimed
from imagette.training.run import Run
from imagette.training.training_data import load_data


class TuneReporter:
    """Is told of the progress of a search; this one ignores it."""

    def on_start(self, folder: Path, space: SearchSpace, trials: int, rows: list[dict]) -> None:
        """The first trials are about to begin; `rows` are those of an earlier session."""

    def on_trial(self, row: dict[str, Any], best: bool) -> None:
        """A trial has ended; `row` is as in `imagette.cluster.study.rows`."""

    def on_end(self, folder: Path, trials: int) -> None:
        """All trials have ended, and the best recipe is about to be trained and measured."""

    def on_wait(self) -> None:
        """The cluster has no core yet, and a machine is waited for."""


@dataclass(frozen=True)
class Tuned:
    """The result of a search.

    Attributes:
        folder: of the search.
        rows: a row a trial, as `imagette.cluster.study.rows` has them.
        best: the row of the best one.
        own: the row of the recipe's own values, if they were tried.
        importances: share of the variance that each field explains, the largest first.
        run: of the best recipe, trained and measured.
    """

    folder: Path
    rows: list[dict[str, Any]]
    best: dict[str, Any]
    own: dict[str, Any] | None
    importances: Mapping[str, float]
    run: Run


def tune(
    dataset: str | Path | Dataset | None = None,
    recipe: str | Path | None = None,
    space: Path | None = None,
    *,
    trials: int | None = None,
    minutes: float | None = None,
    name: str | None = None,
    runs_dir: str | Path = "tune",
    resume: bool = False,
    data_dir: str | Path | None = None,
    address: str | None = None,
    reporter: TuneReporter | None = None,
    train_reporter: Reporter | None = None,
) -> Tuned:
    """Try recipes, then train and measure the best one.

    Args:
        dataset: what `load_dataset` takes, or a `Dataset`; `cifar10` if None.
        recipe: a preset's name or a TOML file; `sprint-90` if None.
        space: TOML file of the search space (see `imagette.cluster.search_space`).
        trials: how many, those of earlier sessions included; None for 20, or as many as before.
        minutes: after which no further trial is run, in this session; those that run are
            interrupted.
        name: of the folder; by default `<dataset>-<recipe>`, numbered when that is taken.
        runs_dir: folder in which it is made.
        resume: go on with the search of that name; begin it if there is none.
        data_dir: where to look for CIFAR-10 first.
        address: of a Ray cluster; None for one of its own on this machine.
        reporter: is told of the trials.
        train_reporter: is told of the training of the best recipe.

    Raises:
        ImagetteError: something that was named cannot be used, or no trial could be trained.
        KeyboardInterrupt: stopped; trials that have ended are kept.
    """
    asked = Asked(dataset, recipe, space, trials, data_dir)
    folder, info, found = open_folder(asked, name, Path(runs_dir), resume)
    with claimed(folder):
        reporter = reporter or TuneReporter()
        with cluster(address):
            wait_for_a_machine(reporter.on_wait)
            rows = _search(folder, info, found, reporter, minutes)
            best = _best(rows)
            run = folder / f"trial-{best['trial']}"
            if not (run / "metrics.json").is_file():
                reporter.on_end(folder, len(rows))
            trained = _train_best(run, info, found, train_reporter or Reporter())
        return Tuned(folder, rows, best, _own(info, rows), _read_importances(folder), trained)


def _train_best(run: Path, info: TuneInfo, found: DataSource, reporter: Reporter) -> Run:
    """Train the best recipe on a worker, with as many cores as a trial has, and measure it."""
    from imagette.cluster.run_trials import share_of_a_trial
    from imagette.cluster.train_best import train_best

    pictures = found if isinstance(found, Dataset) else found.source
    recipe = absolute_recipe(Recipe.load(run.parent / "best.toml"))
    share = share_of_a_trial(info.trials)
    return train_best(pictures, recipe, run, *share, info.data_dir, reporter)


def _search(
    folder: Path,
    info: TuneInfo,
    found: DataSource,
    reporter: TuneReporter,
    minutes: float | None,
) -> list[dict[str, Any]]:
    """Run the trials that are left; returns the rows of all."""
    # Imported here, because it imports Ray: `cluster` has said so if that is missing.
    from imagette.cluster.run_trials import run_trials, share_of_a_trial
    from imagette.cluster.study import open_study, rows, writing_study

    info.write(folder)
    study = open_study(folder)
    known = rows(study, info.space)

    drawn = 0.0
    """When drawing, which takes longer with each trial, may take its time again."""

    def tell() -> None:
        nonlocal drawn
        for row in rows(study, info.space)[len(known) :]:
            known.append(row)
            reporter.on_trial(row, best=row is _best(known, or_any=False))
        _write(folder, info, known)
        if (begun := time.monotonic()) >= drawn:
            _draw(folder, info, known, study)
            drawn = time.monotonic() + 10 * (time.monotonic() - begun)

    failure = ""
    if len(known) < info.trials:
        data = _load(folder, info, found)
        share = share_of_a_trial(info.trials)
        images = len(next(iter(data.values())).train)
        info.settle(folder, "cuda" if share.gpus else "cpu", images)
        reporter.on_start(folder, info.space, info.trials, list(known))
        with writing_study(folder):
            failure = run_trials(study, info, data, share, tell, minutes)
    _write(folder, info, known)
    _draw(folder, info, known, study)
    if not _best(known):
        problem = next((row["problem"] for row in known if row["problem"]), failure)
        if not problem and not known:
            raise ImagetteError(
                "No trial has ended in that time.", "Go on with --resume, and more --minutes."
            )
        raise ImagetteError(
            f"No trial could be trained: {problem}",
            "Give other values to try, or train the recipe alone to see what is wrong.",
        )
    return known


def _load(folder: Path, info: TuneInfo, found: DataSource) -> dict[int, Dataset]:
    """For each image size the train and validation splits; trials never get the test split."""
    field = info.space.of("image_size")
    if field and field.way != "choose":
        raise ImagetteError(
            f"{folder / 'space.toml'} cannot be used: `image_size` has too many values.",
            "List its values: image_size = {choose = [...]}.",
        )
    data = {}
    for size in field.values if field else (info.recipe.image_size,):
        recipe = info.recipe.change(image_size=size, inference_size=0, progressive_share=0.0)
        job = Job(folder, recipe, found, info.data_dir, None, Reporter())
        loaded = load_data(job)
        info.check_pictures(folder, size, loaded)
        data[size] = Dataset(
            found.name, found.class_names, train=loaded.train, validation=loaded.validation
        )
    return data


def _write(folder: Path, info: TuneInfo, rows: list[dict[str, Any]]) -> None:
    """Write the table of the trials so far, and the best recipe."""
    columns = ["trial", *info.space.names, "val_accuracy", "epochs", "seconds", "ended", "problem"]
    write_csv(folder / "trials.csv", rows, columns)
    if best := _best(rows):
        _recipe_of(info, best).save(folder / "best.toml")


def _draw(folder: Path, info: TuneInfo, rows: list[dict[str, Any]], study: Any) -> None:
    """Draw the trials so far, and write what each field mattered."""
    from imagette.cluster.study import importances
    from imagette.cluster.tune_plot import draw

    explained = importances(study)
    shares = [{"field": name, "importance": share} for name, share in explained.items()]
    write_csv(folder / "importance.csv", shares, ["field", "importance"])
    if measured := [row for row in rows if row["val_accuracy"] is not None]:
        write_bytes(folder / "trials.png", draw(measured, info.space, explained))


def _recipe_of(info: TuneInfo, row: Mapping[str, Any]) -> Recipe:
    """The recipe of a trial."""
    values = {name: row[name] for name in info.space.names}
    return info.base.change(name=f"{info.recipe.name}-tuned", **to_tables(values))


def _best(rows: list[dict[str, Any]], or_any: bool = True) -> dict[str, Any]:
    """The best trial of those that finished or, if none did, of those stopped early."""
    measured = [row for row in rows if row["val_accuracy"] is not None]
    finished = [row for row in measured if row["ended"] == "finished"]
    among = finished or (measured if or_any else [])
    return max(among, key=lambda row: row["val_accuracy"], default={})


def _own(info: TuneInfo, rows: list[dict[str, Any]]) -> dict[str, Any] | None:
    own = to_dotted(info.base.model_dump())
    names, measured = info.space.names, [row for row in rows if row["val_accuracy"] is not None]
    return next((row for row in measured if all(row[one] == own[one] for one in names)), None)


def _read_importances(folder: Path) -> dict[str, float]:
    import csv

    with (folder / "importance.csv").open(encoding="utf-8") as file:
        return {row["field"]: float(row["importance"]) for row in csv.DictReader(file)}
