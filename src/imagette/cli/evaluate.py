"""`imagette evaluate` and `imagette compare`: how good networks are."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imagette.cli.console import print_line, print_table, say, shown, stoppable, to_json
from imagette.cli.options import DataDirOption, JsonOption

if TYPE_CHECKING:
    from imagette.evaluation import Evaluation


def evaluate(
    run_or_bundle: Annotated[
        Path, typer.Argument(help="A run folder, a bundle (.onnx), `cifar10` or `cifar10-lite`.")
    ],
    dataset: Annotated[
        str | None,
        typer.Argument(help="As for `train` (default: what the run or the bundle was trained on)."),
    ] = None,
    as_json: JsonOption = False,
    out_dir: Annotated[
        Path | None,
        typer.Option(
            "--out", help="Folder for what it writes (default: the run's, or evaluation-BUNDLE)."
        ),
    ] = None,
    data_dir: DataDirOption = None,
    flip: Annotated[
        bool,
        typer.Option(
            "--flip",
            help="Also report the accuracy of mean answers to each picture and its mirror image.",
        ),
    ] = False,
    corruptions: Annotated[
        bool,
        typer.Option(
            "--corruptions",
            help="Also measure accuracy under 15 corruptions (noise, blur, weather, compression) of"
            " five strengths; takes minutes; after a stop, the same command continues there.",
        ),
    ] = False,
) -> None:
    """Measure a network on pictures it has not seen, with a report to read."""
    evaluation = _measure(
        run_or_bundle, dataset, data_dir=data_dir, out=out_dir, flip=flip, corruptions=corruptions
    )
    if as_json:
        print(to_json(evaluation.metrics, indent=2))
        return
    print_metrics(evaluation.metrics)
    _print_classes(evaluation.metrics["per_class"])
    print_line(f"Report: {evaluation.folder / 'report.html'}")


def _measure(
    run_or_bundle: Path, dataset: str | None, *, data_dir: Path | None, **options: Any
) -> "Evaluation":
    """Measure a model, of a run that was stopped after its bundle is made."""
    from imagette.cli.step_progress import StepProgress

    steps = StepProgress()

    def stopped() -> None:
        steps.stop()
        kept = options["corruptions"]
        after = ": it continues after the corruptions measured so far" if kept else ""
        say(f"Stopped; earlier results are unchanged. Run the same command again{after}.")

    with stoppable(stopped):
        from imagette.evaluation import evaluate as evaluate_model

        if _lacks_bundle(run_or_bundle):
            from imagette.training.stopped_run import make_missing_bundle

            make_missing_bundle(run_or_bundle, dataset, data_dir=data_dir, on_step=steps.begin)
        try:
            return evaluate_model(
                run_or_bundle, dataset, data_dir=data_dir, say=say, on_step=steps.begin, **options
            )
        finally:
            steps.stop()


def _lacks_bundle(run: Path) -> bool:
    """Whether it is a run that was stopped, whose network has not been made a bundle yet."""
    return (run / "model.keras").is_file() and not (run / "model.onnx").is_file()


def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run folders.")],
    plot: Annotated[Path, typer.Option("--out", help="Where the plot goes.")] = Path("compare.png"),
) -> None:
    """Compare runs: one table, one plot."""
    with stoppable():
        from imagette.evaluation.compare import compare as compare_runs

        rows = compare_runs(runs, plot)
    _print_comparison(rows)
    measured = {(row["dataset"], row["split"], row["n"]) for row in rows if row["dataset"]}
    if len(measured) > 1:
        say(
            "These runs were not measured on the same pictures, so their accuracies cannot be"
            " compared. Measure them on the same ones with: imagette evaluate RUN DATASET"
        )
    print_line(f"Plot: {plot}")


def print_metrics(metrics: dict[str, Any]) -> None:
    """What was measured, in a few lines."""
    low, high = metrics["accuracy_interval"]
    where = {
        "test": f"on the test split of {metrics['dataset']}",
        "validation": f"on the validation pictures of {metrics['dataset']} (it has no test split)",
        "leave-one-out": f"on the pictures of {metrics['dataset']}, each left out in turn"
        " (it has no test split)",
        "all": f"on all pictures of {metrics['dataset']} (it has no test split)",
    }[metrics["split"]]
    print_line(
        f"Accuracy {metrics['accuracy']:.2%} {where}: {metrics['n']:,} pictures,"
        f" 95 % interval {low:.2%} to {high:.2%}, loss {metrics['loss']:.4f},"
        f" expected calibration error {metrics['calibration_error']:.2%},"
        f" Brier score {metrics['brier']:.4f}"
    )
    if left_out := metrics.get("learned_left_out"):
        pictures = "1 picture" if left_out == 1 else f"{left_out:,} pictures"
        print_line(f"Not counted: {pictures} learned by the model")
    if _is_imbalanced(metrics["per_class"]):
        print_line(
            f"Balanced accuracy {metrics['balanced_accuracy']:.2%}: every class counts the same,"
            " however many pictures it has"
        )
    if averaged := metrics.get("flip_averaged"):
        print_line(
            f"With test-time augmentation (each picture averaged with its mirror image):"
            f" accuracy {averaged['accuracy']:.2%}, loss {averaged['loss']:.4f}"
        )
    if "corruption_accuracy" in metrics:
        print_line(
            "Under corruption (mean of 15 kinds and five strengths):"
            f" accuracy {metrics['corruption_accuracy']:.2%}"
        )


def _is_imbalanced(per_class: dict[str, dict[str, float]]) -> bool:
    from imagette.data.dataset import IMBALANCE_RATIO

    counts = [row["support"] for row in per_class.values() if row["support"]]
    return max(counts) > IMBALANCE_RATIO * min(counts)


def _print_classes(per_class: dict[str, dict[str, float]]) -> None:
    rows = [
        [name, *(f"{row[key]:.1%}" for key in ("precision", "recall", "f1")), f"{row['support']:,}"]
        for name, row in per_class.items()
    ]
    print_table(["class", "precision", "recall", "F1", "pictures"], rows)


def _print_comparison(rows: list[dict[str, Any]]) -> None:
    forms = {
        "run": "{}", "dataset": "{}", "split": "{}", "accuracy": "{:.2%}", "loss": "{:.4f}",
        "epochs": "{}", "best_epoch": "{}", "seconds": "{:,.0f}", "parameters": "{:,}",
    }  # fmt: skip
    titles = {"split": "on", "best_epoch": "best"}
    print_table(
        [titles.get(key, key) for key in forms],
        [[shown(row[key], form) for key, form in forms.items()] for row in rows],
    )
