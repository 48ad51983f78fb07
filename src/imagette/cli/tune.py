"""`imagette tune`."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imagette.cli.cluster_options import RayAddressOption, RayOption
from imagette.cli.console import print_line, print_table, stoppable
from imagette.cli.evaluate import print_metrics
from imagette.cli.options import RECIPES, DataDirOption, DatasetArgument, RunsDirOption

if TYPE_CHECKING:
    from imagette.cluster.tune import Tuned

TrialsOption = Annotated[
    int | None,
    typer.Option(
        min=1, help="How many recipes to try, those of a search resumed included (default: 20)."
    ),
]
MinutesOption = Annotated[
    float | None,
    typer.Option(
        min=0.0,
        help="Run trials for so many minutes, then train the best recipe; --resume runs the"
        " others.",
    ),
]


def tune(
    dataset: DatasetArgument = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            help="The recipe that the trials change, a name or a TOML file;"
            f" {', '.join(RECIPES)} (default: sprint-90)."
        ),
    ] = None,
    space: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A TOML file of what to try: a line such as `batch_size = {choose = [256, 512]}`,"
            " `label_smoothing = {between = [0, 0.3]}` or `optimizer.learning_rate ="
            " {log = [0.01, 1]}` for each field.",
        ),
    ] = None,
    trials: TrialsOption = None,
    minutes: MinutesOption = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the search (default: DATASET-RECIPE, numbered).")
    ] = None,
    runs_dir: RunsDirOption = Path("tune"),
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="Resume a search that was stopped; start it if there is none yet."
        ),
    ] = False,
    ray: RayOption = False,
    ray_address: RayAddressOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Search for a better recipe: try values of its fields, side by side on a Ray cluster.

    Trials are compared on the pictures held out for validation, and poor ones are stopped early.
    The best one is then trained and measured on the test pictures, once. Ctrl-C keeps the trials
    that have ended; --resume goes on. Without --ray-address, it starts a Ray
    cluster on this machine, as with --ray.
    """
    from imagette.cli.progress import TrainingReporter
    from imagette.cli.tune_progress import TrialTable

    table = TrialTable()
    with stoppable(table.interrupted), table, TrainingReporter() as reporter:
        from imagette.cluster.tune import tune as search

        tuned = search(
            dataset, recipe, space, trials=trials, minutes=minutes, name=name, runs_dir=runs_dir,
            resume=resume, data_dir=data_dir, address=ray_address, reporter=table,
            train_reporter=reporter,
        )  # fmt: skip
    _print(tuned)


def _print(tuned: "Tuned") -> None:
    from imagette.cli.tune_progress import to_text

    if tuned.run.metrics is None:
        print_line(f"{tuned.run.folder} is finished already; nothing was left to do.")
    else:
        print_metrics(tuned.run.metrics)
    if tuned.importances:
        print_table(
            ["field", "importance", "best value"],
            [
                [name, f"{share:.0%}", to_text(tuned.best[name])]
                for name, share in tuned.importances.items()
            ],
        )
        print_line("importance: the share of the differences between trials that a field explains.")
    best, own = tuned.best, tuned.own
    print_line(
        f"Trial {best['trial']} was the best: val accuracy {best['val_accuracy']:.2%}. The highest"
        " of many is too high by chance; expect the accuracy on the test pictures."
    )
    if own is best:
        print_line("It is the recipe itself: no trial was better.")
    elif own:
        accuracy = f"{own['val_accuracy']:.2%}"
        if own["ended"] == "finished":
            print_line(f"The recipe itself: val accuracy {accuracy}")
        else:
            print_line(
                f"The recipe itself: val accuracy {accuracy}, stopped after {own['epochs']} epochs"
            )
    print_line(f"Table: {tuned.folder / 'trials.csv'}, plot: {tuned.folder / 'trials.png'}")
    print_line(f"Recipe: {shlex.quote(str(tuned.folder / 'best.toml'))}")
    print_line(f"Bundle: {shlex.quote(str(tuned.run.folder / 'model.onnx'))}")
