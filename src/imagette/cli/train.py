"""`imagette train`."""

import shlex
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imagette.cli.cluster_options import RayAddressOption, RayOption, WorkersOption
from imagette.cli.console import print_line, say, stoppable
from imagette.cli.evaluate import print_metrics
from imagette.cli.options import RECIPES, DataDirOption, DatasetArgument, RunsDirOption
from imagette.errors import ImagetteError

if TYPE_CHECKING:
    from imagette.training.run import Run
    from imagette.training.workers import Workers


def train(
    dataset: DatasetArgument = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            help=f"A recipe's name or a TOML file; {', '.join(RECIPES)} (default: sprint-90; for"
            " your own pictures `photos`, or sprint-90 where they are small and many)."
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a field of the recipe."),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the run (default: DATASET-RECIPE, numbered).")
    ] = None,
    runs_dir: RunsDirOption = Path("runs"),
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="Resume a run that was stopped; start it if there is none yet."
        ),
    ] = False,
    data_dir: DataDirOption = None,
    no_samples: Annotated[
        bool,
        typer.Option(
            "--no-samples",
            help="Leave out of the bundle the few small pictures of each class that its page shows:"
            " where pictures are private.",
        ),
    ] = False,
    ray: RayOption = False,
    ray_address: RayAddressOption = None,
    workers: WorkersOption = None,
) -> None:
    """Train a network, measure it, and leave everything in a run folder.

    Ctrl-C stops cleanly, with the best network so far saved; --resume goes on, and `imagette
    evaluate RUN` measures what there is.
    """
    from imagette.cli.progress import TrainingReporter

    with TrainingReporter() as reporter, stoppable(reporter.interrupted), ExitStack() as stack:
        from imagette.training.recipe_tables import parse_settings
        from imagette.training.run import train as train_run

        run = train_run(
            dataset, recipe, changes=parse_settings(settings or []), name=name,
            runs_dir=runs_dir, resume=resume, data_dir=data_dir, reporter=reporter,
            samples=not no_samples, workers=_workers(stack, ray, ray_address, workers),
        )  # fmt: skip
    _print_run(run)


def _workers(
    stack: ExitStack, ray: bool, address: str | None, count: int | None
) -> "Workers | None":
    """Who does the work: the workers of a cluster, which is left at the end of the stack."""
    if not ray and address is None:
        if count is not None:
            raise ImagetteError(
                "--workers tells how many workers of a Ray cluster share the work.",
                "Add --ray, or --ray-address ADDRESS.",
            )
        return None
    from imagette.cluster.connection import NO_CORE_YET, cluster, wait_for_a_machine

    stack.enter_context(cluster(address))
    cores = wait_for_a_machine(lambda: say(NO_CORE_YET))
    from imagette.cluster.workers import ClusterWorkers

    return ClusterWorkers(cores, count)


def _print_run(run: "Run") -> None:
    from imagette.evaluation.leave_one_out import says_nothing
    from imagette.evaluation.metrics import POOR
    from imagette.runs import read_run

    if run.metrics is None:
        print_line(f"{run.folder} is finished already; nothing was left to do.")
    else:
        print_metrics(run.metrics)
        if run.metrics["accuracy"] < POOR and not says_nothing(run.metrics):
            say(
                "That is too low for most uses. More pictures of each class help most, then"
                " labels without mistakes (imagette explore --audit RUN); where the pictures are"
                " unlike photographs, try --recipe finetune."
            )
    print_line(f"Report: {run.folder / 'report.html'}")
    print_line(f"Model card: {run.folder / 'README.md'}")
    bundle = shlex.quote(str(run.folder / "model.onnx"))
    print_line(f"Bundle: {bundle}")
    info = read_run(run.folder).info
    if info and info.samples:
        print_line("It carries a few small pictures for its page; --no-samples leaves them out.")
    print_line(f"Try it: imagette serve --ui --model {bundle}")
