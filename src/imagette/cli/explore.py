"""`imagette explore`: a dataset, or the labels that a model doubts."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imagette.cli.console import print_line, print_table, say, stoppable
from imagette.cli.options import DataDirOption, DatasetArgument
from imagette.terminal import local

if TYPE_CHECKING:
    from imagette.data.explore import Exploration


def explore(
    dataset: DatasetArgument = None,
    out_dir: Annotated[
        Path | None, typer.Option("--out", help="Folder for the page (default: explore-DATASET).")
    ] = None,
    data_dir: DataDirOption = None,
    audit: Annotated[
        Path | None,
        typer.Option(
            "--audit",
            metavar="RUN",
            help="Instead, list labels that are probably wrong by the model of this run (or"
            " bundle), and near duplicates across train and test; by default of the run's dataset.",
        ),
    ] = None,
) -> None:
    """Look at a dataset: counts, examples, colours, duplicates, as pictures and one HTML page."""
    with stoppable(lambda: say("Stopped; no page was written.")):
        if audit is not None:
            _audit(audit, dataset, data_dir, out_dir)
        else:
            _explore(dataset, data_dir, out_dir)


def _explore(dataset: str | None, data_dir: Path | None, out_dir: Path | None) -> None:
    from imagette.data import SIZE, open_source
    from imagette.data.explore import explore as explore_dataset
    from imagette.data.explore_page import write_page

    found = open_source(dataset or "cifar10", data_dir)
    data = found.load(SIZE)
    exploration = explore_dataset(data)
    page = write_page(data, exploration, out_dir or Path(f"explore-{data.name}"), found)
    _print_exploration(exploration)
    print_line(f"Page: {page}")


def _audit(run: Path, dataset: str | None, data_dir: Path | None, folder: Path | None) -> None:
    from imagette.evaluation.label_issues import find_label_issues
    from imagette.evaluation.label_issues_page import write_label_issues

    found = find_label_issues(run, dataset, data_dir=data_dir)
    page = write_label_issues(found, folder)
    for subset, label_issues in found.label_issues:
        learned = " (the model may have learned them)" if subset.split == "train" else ""
        print_line(
            f"{local(subset.split)}: {len(label_issues):,} of {len(subset.examples):,} labels are"
            f" doubtful{learned}"
        )
    if found.compared:
        first, number = found.compared[0], len(found.duplicates)
        print_line(
            f"near duplicates: {number:,} of {len(first.examples):,} {first.split} pictures"
            f" ({number / len(first.examples):.2%}) have one among the training pictures"
        )
    print_line(f"Page: {page}, tables: audit.csv and duplicates.csv beside it")


def _print_exploration(exploration: "Exploration") -> None:
    counts = exploration.counts
    rows = [
        [name, *(f"{split.get(name, 0):,}" for split in counts.values())]
        for name in counts["train"]
    ]
    rows.append([local("all"), *(f"{sum(split.values()):,}" for split in counts.values())])
    print_table(["class", *counts], rows)
    mean, deviation = local("mean"), local("deviation")
    width = max(len(mean), len(deviation))
    for title, values in ((mean, exploration.mean), (deviation, exploration.deviation)):
        red, green, blue = values
        print_line(f"{title:<{width}} red {red:.2f}, green {green:.2f}, blue {blue:.2f} (of 255)")
    for where, found in exploration.duplicates.items():
        place = "of train in other splits" if where == "across" else f"within {where}"
        labels = f", {found.disagreeing} with labels that differ" if found.disagreeing else ""
        print_line(f"exact duplicates {place}: {found.images}{labels}")
    for note in exploration.notes:
        print_line(note)
    for path, reason in exploration.skipped:
        print_line(f"left out: {path}: {reason}")
