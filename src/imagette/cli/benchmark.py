"""`imagette benchmark`: Imagette compared with the usual tools."""

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from imagette.cli.cluster_options import RayAddressOption, RayOption
from imagette.cli.console import print_line, print_table, say, shown, stoppable, to_json
from imagette.cli.options import DataDirOption, JsonOption
from imagette.errors import ImagetteError


def time_to_accuracy(
    recipes: Annotated[
        str | None, typer.Option(help="Recipes, separated by commas (default: the four sprints).")
    ] = None,
    runs: Annotated[
        int, typer.Option(min=1, help="Trainings of each recipe, with seeds 0, 1 …")
    ] = 5,
    dataset: Annotated[str | None, typer.Option(help="As for `train`.")] = None,
    tensorflow: Annotated[
        Path | None,
        typer.Option(
            metavar="PYTHON",
            help="A Python that has TensorFlow, for the reference (default: this one, if it has).",
        ),
    ] = None,
    out_dir: Annotated[
        Path,
        typer.Option(
            "--out",
            help="Folder for the results; those already there are kept, not measured again.",
        ),
    ] = Path("time-to-accuracy"),
    data_dir: DataDirOption = None,
    ray: RayOption = False,
    ray_address: RayAddressOption = None,
) -> None:
    """Train recipes with several seeds, beside a classic one by Keras' fit on TensorFlow.

    Ctrl-C stops it; the same command continues. On a Ray cluster trainings run side by side, all
    on the same number of cores each; their seconds compare with one another only.
    """
    from imagette.cli.progress import TrainingReporter

    kept = f"Stopped. The same command continues with what is in {out_dir}."
    with TrainingReporter() as reporter, stoppable(lambda: say(kept)):
        from imagette.benchmark.time_to_accuracy import RECIPES, time_to_accuracy

        train_all = None
        if ray or ray_address:
            from imagette.cluster.side_by_side import side_by_side

            train_all = partial(side_by_side, address=ray_address, say=say)
        names = [name.strip() for name in recipes.split(",")] if recipes else RECIPES
        rows = time_to_accuracy(
            names, runs, out=out_dir, dataset=dataset, data_dir=data_dir, tensorflow=tensorflow,
            reporter=reporter, say=say, train_all=train_all,
        )  # fmt: skip
    _print_times(rows)
    print_line(f"Table: {out_dir / 'summary.csv'}, plot: {out_dir / 'time-to-accuracy.png'}")


def inference(
    bundles: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="BUNDLE_OR_RUN",
            help="Bundles (.onnx) or run folders (default: the models that ship with Imagette).",
            show_default=False,
        ),
    ] = None,
    threads: Annotated[
        str, typer.Option(metavar="N,N", help="Numbers of CPU threads to measure with.")
    ] = "1,2",
    batches: Annotated[
        str, typer.Option(metavar="N,N", help="Numbers of pictures given at once to measure with.")
    ] = "1,256",
    rounds: Annotated[
        int, typer.Option(min=1, help="Measurements of each bundle, taken in turns.")
    ] = 7,
    out_dir: Annotated[Path, typer.Option("--out", help="Folder for the results.")] = Path(
        "inference"
    ),
    as_json: JsonOption = False,
) -> None:
    """Measure how fast bundles answer, and plot it against their accuracy and their size."""
    counts, sizes = _numbers("--threads", threads), _numbers("--batches", batches)
    with stoppable(lambda: say("Stopped; nothing was written.")):
        from imagette.benchmark.inference import measure_inference

        rows = measure_inference(
            bundles or (), threads=counts, batches=sizes, rounds=rounds, out=out_dir,
            say=say,
        )  # fmt: skip
    if as_json:
        print(to_json(rows, indent=2))
        return
    _print_speeds(rows)
    print_line(f"Table: {out_dir / 'summary.csv'}, plot: {out_dir / 'frontier.png'}")


def _numbers(option: str, text: str) -> list[int]:
    """Whole numbers with commas between.

    Raises:
        ImagetteError: it is something else.
    """
    try:
        return [int(number) for number in text.split(",")]
    except ValueError as error:
        raise ImagetteError(
            f"{option} takes whole numbers separated by commas, not {text!r}.",
            f"Write, for example: {option} 1,2",
        ) from error


def _print_times(rows: list[dict[str, Any]]) -> None:
    print_table(
        ["recipe", "runs", "accuracy %", "flipped", "seconds", "other s", "per s", "peak"],
        [
            [
                row["name"],
                str(row["runs"]),
                _spread(row, "accuracy", 100, 2),
                shown(row["flip_averaged"] and 100 * row["flip_averaged"], "{:.2f}"),
                _spread(row, "seconds", 1, 1),
                shown(_beside(row), "{:.1f}"),
                f"{row['pictures_per_second']:,.0f}",
                shown(row["share_of_peak"], "{:.0%}"),
            ]
            for row in rows
        ],
    )
    print_line("Means ± standard deviations; below them, 95 % confidence intervals of the means.")
    print_line("flipped: accuracy averaged over each picture and its mirror image.")
    print_line(
        "seconds: of training; other s: of compiling, warming up and validation, not among those."
    )
    print_line("per s: pictures learned from per second.")
    print_line("peak: operations a second, as a share of what matrix products reach here.")


def _print_speeds(rows: list[dict[str, Any]]) -> None:
    """A row a bundle; of more than four ways to measure, four to a table, which fits a terminal."""
    ways = list(dict.fromkeys((row["threads"], row["batch"]) for row in rows))
    names = list(dict.fromkeys(row["name"] for row in rows))
    found = {(row["name"], row["threads"], row["batch"]): row for row in rows}
    for start in range(0, len(ways), 4):
        some = ways[start : start + 4]
        print_table(
            ["model", "accuracy\n%", "MB", *(_way(*way) for way in some)],
            [
                [
                    name,
                    shown(first["accuracy"] and 100 * first["accuracy"], "{:.2f}"),
                    f"{first['megabytes']:.2f}",
                    *(_speed(found[name, *way]) for way in some),
                ]
                for name in names
                for first in [found[name, *some[0]]]
            ],
        )
    rounds = rows[0]["rounds"]
    measured = f"median and range of {rounds} rounds" if rounds > 1 else "one round"
    print_line(f"Pictures a second: {measured}. Accuracy: on test pictures.")


def _way(threads: int, batch: int) -> str:
    return f"{threads} thread{'s' if threads > 1 else ''}\nbatch {batch}"


def _speed(row: dict[str, Any]) -> str:
    """The median, and on a second line the range, where there are several rounds."""
    median, low, high = (
        _three_digits(row[f"pictures_per_second{end}"]) for end in ("", "_low", "_high")
    )
    if row["rounds"] == 1:
        return median
    return f"{median}\n{low.removesuffix('k') if high.endswith('k') else low}–{high}"


def _three_digits(speed: float) -> str:
    """A speed in the width of a narrow column: 9.87, 98.7, 987, 9.87k, 98.7k, 987k, 9870k."""
    number, unit = (speed, "") if speed < 999.5 else (speed / 1000, "k")
    digits = 2 if number < 9.995 else 1 if number < 99.95 else 0
    return f"{number:.{digits}f}{unit}"


def _beside(row: dict[str, Any]) -> float | None:
    prepared, validated = row["preparation_seconds"], row["validation_seconds"]
    return None if prepared is None else prepared + validated


def _spread(row: dict[str, Any], key: str, factor: float, digits: int) -> str:
    """Mean and deviation, and on a second line the interval, where there are several runs."""
    numbers = [row[name] for name in (key, f"{key}_sd", f"{key}_low", f"{key}_high")]
    if numbers[1] is None:
        return f"{factor * row[key]:.{digits}f}"
    mean, deviation, low, high = (f"{factor * number:.{digits}f}" for number in numbers)
    return f"{mean} ± {deviation}\n{low}–{high}"
