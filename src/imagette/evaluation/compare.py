"""Several runs side by side."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from imagette.errors import ImagetteError
from imagette.files import write_bytes
from imagette.runs import RunFolder, read_metrics, read_run


def compare(runs: Sequence[str | Path], out: str | Path) -> list[dict[str, Any]]:
    """Compare runs: one row each, and one plot.

    Args:
        runs: folders of runs, finished or not.
        out: the PNG file to write: validation accuracy over training time, and the accuracies
            measured with their 95 % intervals.

    Returns:
        One row a run, in the order given, of plain JSON values: `run` (its name), `dataset`,
        `accuracy` (top-1 fraction) with the `split` of it and the number of pictures `n` that it
        was measured on, `loss` (nats),
        `validation_accuracy` (of the best epoch), `epochs`, `best_epoch`, `seconds` and
        `parameters`. What a run lacks is None.

    Raises:
        ImagetteError: a folder is no run, a file in it is damaged, there is no run at all, or
            `out` does not end in .png.
    """
    if not runs:
        raise ImagetteError("There is nothing to compare.", "Give the folders of some runs.")
    if Path(out).suffix.lower() != ".png":
        raise ImagetteError(
            f"The plot is a PNG file, so it cannot be called {out}.",
            "Give it a name ending in .png.",
        )
    folders = [read_run(Path(run)) for run in runs]
    names = _names(folders)
    metrics = [read_metrics(run) for run in folders]

    from imagette.evaluation import plots  # brings in matplotlib

    lines = [
        plots.Line(name, run.history, measured)
        for name, run, measured in zip(names, folders, metrics, strict=True)
    ]
    write_bytes(Path(out), plots.comparison(lines))
    return [_row(*run) for run in zip(names, folders, metrics, strict=True)]


def _names(runs: list[RunFolder]) -> list[str]:
    """The folders' own names or, where two are the same, their paths."""
    names = [run.name for run in runs]
    return [str(run.path) if names.count(run.name) > 1 else run.name for run in runs]


def _row(name: str, run: RunFolder, metrics: dict[str, Any] | None) -> dict[str, Any]:
    measured = {
        key: (metrics or {}).get(key) for key in ("dataset", "split", "n", "accuracy", "loss")
    }
    info = run.info.model_dump() if run.info else {}
    trained = {key: info.get(key) for key in ("epochs", "best_epoch", "seconds", "parameters")}
    validation_accuracy = run.best.val_accuracy if run.best else None
    return {"run": name, **measured, "validation_accuracy": validation_accuracy, **trained}
