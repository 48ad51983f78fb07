"""The commands: parse, call, print. What they do lives in the package."""

import io
import json
import os
import shlex
import signal
import sys
from collections.abc import Iterator
from dataclasses import asdict
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from imagette import __version__
from imagette.errors import ImageError, ImagetteError

if TYPE_CHECKING:
    from imagette.data.explore import Exploration
    from imagette.inference.classifier import Classifier, Explanation, Prediction

app = typer.Typer(
    name="imagette",
    help="From labelled pictures to a classifier that people really use.",
    epilog="Begin with: imagette demo",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
benchmark = typer.Typer(
    help="Measure Imagette beside what people use otherwise.", no_args_is_help=True
)
app.add_typer(benchmark, name="benchmark")
out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

# What `imagette[train]` brings, by import names.
_TRAIN_MODULES = (
    "cleanlab", "filelock", "keras", "matplotlib", "onnx", "onnxscript", "platformdirs", "pooch",
    "scipy", "sklearn", "tomli_w", "torch", "tqdm",
)  # fmt: skip

_RECIPES = ", ".join((
    "best", "classic", "finetune", "lite", "photos", "resnet18", "resnet20", "sprint-70",
    "sprint-80", "sprint-90", "sprint-94", "sprint-large", "vgg", "wide-resnet",
))  # fmt: skip

DatasetArgument = Annotated[
    str | None,
    typer.Argument(
        help="`cifar10` (the default), `digits` (needs no download), or your own pictures: a folder"
        " (FOLDER/<class>/pictures, or FOLDER/train/<class>/pictures with an optional FOLDER/test),"
        " a zip or tar file of one, a CSV file of paths and labels, or `hf:NAME` for a dataset of"
        " Hugging Face."
    ),
]
DataDirOption = Annotated[
    Path | None,
    typer.Option(help="Where to look first for CIFAR-10's folder cifar-10-batches-py."),
]
RunsDirOption = Annotated[Path, typer.Option(help="Folder in which run folders are made.")]
ModelOption = Annotated[
    Path | None,
    typer.Option(
        "--model",
        help="A bundle (.onnx), a run, or a model that ships with Imagette: `cifar10`, the more"
        " accurate one, or `cifar10-lite`, small and fast.",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, nothing else.")]


def main() -> None:
    """Run the command line; an error a user can mend is two sentences, never a traceback."""
    # A name that the terminal cannot show is no reason to fail.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except ImagetteError as error:
        _fail(error.problem, error.remedy)
    except ModuleNotFoundError as error:
        module = (error.name or "").partition(".")[0]
        if module not in _TRAIN_MODULES:
            raise
        _fail(
            f"This command needs {module}, which is not installed.",
            "Install it with: pip install 'imagette[train]'",
        )
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        problem = f"{where}{error.strerror or error}."
        _fail(problem, "Check the disk and your rights to it, then try again.")


def _fail(problem: str, remedy: str) -> NoReturn:
    err.print(f"[bold red]Error:[/] {escape(problem)}", soft_wrap=True)
    err.print(escape(remedy), soft_wrap=True)
    sys.exit(1)


@app.callback(invoke_without_command=True)
def _options(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    if version:
        print(__version__)
        raise typer.Exit


@app.command(epilog="Example: imagette explore digits --out digits-pages")
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
            help="Instead, list the labels that the model of this run (or bundle) doubts, and"
            " near duplicates across train and test; by default of the run's own dataset.",
        ),
    ] = None,
) -> None:
    """Look at a dataset: counts, examples, colours, duplicates, as pictures and one HTML page."""
    if audit is not None:
        _audit(audit, dataset, data_dir, out_dir)
        return
    from imagette.data import load_dataset
    from imagette.data.explore import explore as explore_dataset

    data = load_dataset(dataset or "cifar10", data_dir)
    folder = out_dir or Path(f"explore-{data.name}")
    exploration = explore_dataset(data, folder)
    _print_exploration(exploration)
    _print(f"Page: {folder / 'index.html'}")


@app.command(epilog="Example: imagette train my_pictures/")
def train(
    dataset: DatasetArgument = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            help=f"A recipe's name or a TOML file; {_RECIPES} (default: sprint-90; for your own"
            " pictures `photos`, or sprint-90 where they are small and many)."
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
        bool, typer.Option("--resume", help="Go on with a run that was stopped, or begin it.")
    ] = False,
    data_dir: DataDirOption = None,
) -> None:
    """Train a network, measure it, and leave everything in a run folder.

    Ctrl-C stops cleanly, with the best network so far saved; --resume goes on.
    """
    from imagette.cli.progress import TrainingReporter
    from imagette.evaluation.left_out import says_nothing
    from imagette.evaluation.metrics import POOR
    from imagette.training.recipe_tables import parse_settings
    from imagette.training.run import train as train_run

    changes = parse_settings(settings or [])
    reporter = TrainingReporter(err)
    # A stop asked for by a service manager is as clean as one from the keyboard.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        run = train_run(
            dataset, recipe, changes=changes, name=name, runs_dir=runs_dir, resume=resume,
            data_dir=data_dir, reporter=reporter,
        )  # fmt: skip
    except KeyboardInterrupt:
        reporter.interrupted()
        raise typer.Exit(130) from None
    finally:
        reporter.close()
    if run.metrics is None:
        _print(f"{run.folder} has finished already; nothing was left to do.")
    else:
        _print_metrics(run.metrics)
        if run.metrics["accuracy"] < POOR and not says_nothing(run.metrics):
            err.print(
                "That is too little for most uses. More pictures of each class help most, then"
                " labels without mistakes (imagette explore --audit RUN); where the pictures are"
                " unlike photographs, try --recipe finetune.",
                soft_wrap=True,
            )
    _print(f"Report: {run.folder / 'report.html'}")
    bundle = shlex.quote(str(run.folder / "model.onnx"))
    _print(f"Bundle: {bundle}")
    _print(f"Try it: imagette serve --ui --model {bundle}")


@app.command(epilog="Example: imagette evaluate runs/first --json")
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
            "--flip", help="Also average over each picture and its mirror image, said beside."
        ),
    ] = False,
    corruptions: Annotated[
        bool,
        typer.Option(
            "--corruptions",
            help="Also measure accuracy under 15 corruptions (noise, blur, weather, compression) of"
            " five strengths; takes minutes, and goes on where it was when stopped.",
        ),
    ] = False,
) -> None:
    """Measure a network on pictures it has not seen, with a report to read."""
    from imagette.evaluation import evaluate as evaluate_model

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        evaluation = evaluate_model(
            run_or_bundle, dataset, data_dir=data_dir, out=out_dir, flip=flip,
            corruptions=corruptions,
            say=lambda line: err.print(line, markup=False, soft_wrap=True),
        )  # fmt: skip
    except KeyboardInterrupt:
        kept = " The same command goes on with the corruptions measured so far."
        err.print(f"Stopped.{kept if corruptions else ''}")
        raise typer.Exit(130) from None
    if as_json:
        print(json.dumps(evaluation.metrics, indent=2, ensure_ascii=False))
        return
    _print_metrics(evaluation.metrics)
    _print_classes(evaluation.metrics["per_class"])
    _print(f"Report: {evaluation.folder / 'report.html'}")


@app.command(epilog="Example: imagette predict cat.jpg holidays/")
def predict(
    pictures: Annotated[
        list[str], typer.Argument(metavar="PICTURE...", help="Files, folders, or - for stdin.")
    ],
    model: ModelOption = None,
    explain: Annotated[
        bool,
        typer.Option("--explain", help="Also draw where in each picture lies what decided."),
    ] = False,
    out: Annotated[
        Path, typer.Option(help="Folder for what --explain draws, NAME-why.png each.")
    ] = Path(),
    as_json: JsonOption = False,
) -> None:
    """Say what pictures show, the likeliest classes first."""
    from imagette.inference.classifier import Classifier

    drawings = out if explain else None
    answers = list(_answers(Classifier(model), pictures, drawings, show=not as_json))
    if as_json:
        print(json.dumps(answers, indent=2, ensure_ascii=False))
    if any("error" in answer for answer in answers):
        raise typer.Exit(1)


@app.command(epilog="Example: imagette models --json")
def models(as_json: JsonOption = False) -> None:
    """List the networks that can be trained, with their sizes and their own arguments."""
    from imagette.models import list_models

    rows = list_models()
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    _print_table(
        ["network", "parameters", "FLOPs a picture", "arguments (--set 'model_options={...}')"],
        [
            [
                row["name"],
                f"{row['parameters']:,}",
                f"{row['flops'] / 1e6:,.1f} million",
                ", ".join(f"{key} = {value}" for key, value in row["options"].items()) or "-",
            ]
            for row in rows
        ],
    )
    _print("For pictures of 32×32 and ten classes; a multiplication with its addition counts two.")


@app.command(epilog="Example: imagette compare runs/first runs/second")
def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run folders.")],
    plot: Annotated[Path, typer.Option("--out", help="Where the plot goes.")] = Path("compare.png"),
) -> None:
    """Set runs side by side: one table, one plot."""
    from imagette.evaluation.compare import compare as compare_runs

    _print_comparison(compare_runs(runs, plot))
    _print(f"Plot: {plot}")


@app.command(epilog="Example: imagette export cifar10_model.h5 --format onnx")
def export(
    source: Annotated[
        Path, typer.Argument(metavar="RUN|MODEL", help="A run folder, or a .keras or .h5 file.")
    ],
    format: Annotated[
        Literal["onnx", "keras", "h5"], typer.Option(help="onnx is a bundle, for serving.")
    ],
    out_file: Annotated[
        Path | None, typer.Option("--out", help="The file to write (default: beside the source).")
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(help="Class names of a Keras file, in its order, with commas between."),
    ] = None,
    pixels: Annotated[
        Literal["1", "255"] | None,
        typer.Option(
            help="Range of pixels the Keras file takes, 0–1 or 0–255. An .h5 is written for 0–1"
            " if not given, so that scripts that divide by 255 work with it."
        ),
    ] = None,
    quantize: Annotated[
        Literal["weights", "all"] | None,
        typer.Option(
            help="Write a run's bundle in 8 bits: its weights, a quarter of the size; or all of it,"
            " which is faster too. Measure what that costs with `imagette evaluate`."
        ),
    ] = None,
    data_dir: DataDirOption = None,
) -> None:
    """Write a run, or a Keras model from elsewhere, in another format."""
    from imagette.training.export import export as export_model

    top: Literal[1, 255] | None = None if pixels is None else 1 if pixels == "1" else 255
    names = [name.strip() for name in classes.split(",")] if classes else None
    exported = export_model(
        source, format, out=out_file, classes=names, pixels=top, quantize=quantize,
        data_dir=data_dir,
    )  # fmt: skip
    for note in exported.notes:
        err.print(note, markup=False, soft_wrap=True)
    _print(str(exported.path))


_SETTINGS_PANEL = "Settings, each also IMAGETTE_… (docs/reference/settings.md)"


def _setting(help_: str) -> Any:
    """An option of `serve` that has a variable of the environment too."""
    return typer.Option(help=help_, rich_help_panel=_SETTINGS_PANEL)


@app.command(epilog="Example: imagette serve --model runs/first/model.onnx --ui")
def serve(
    model: ModelOption = None,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for all.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port of the API.")] = 5000,
    ui: Annotated[bool, typer.Option("--ui", help="Serve the web page too.")] = False,
    ui_port: Annotated[int, typer.Option(help="Port of the web page.")] = 8501,
    max_upload_bytes: Annotated[int | None, _setting("Largest request, in bytes.")] = None,
    max_pixels: Annotated[int | None, _setting("Largest picture, in pixels.")] = None,
    max_pictures: Annotated[int | None, _setting("Pictures in one request.")] = None,
    max_seconds: Annotated[float | None, _setting("Seconds that a request may take.")] = None,
    requests_per_minute: Annotated[
        int | None, _setting("Requests of one client in a minute; 0 for no limit.")
    ] = None,
    rate_storage: Annotated[
        str | None, _setting("Where several servers count them, such as redis://host:6379.")
    ] = None,
    api_keys: Annotated[
        str | None,
        _setting(
            "Keys with commas between; others can see them here, so rather set it"
            " in the environment."
        ),
    ] = None,
    cors_origins: Annotated[
        str | None, _setting("Sites whose scripts may ask, with commas between; * for all.")
    ] = None,
    trusted_proxies: Annotated[
        int | None, _setting("Proxies in front that are believed about who asks.")
    ] = None,
    log_requests: Annotated[
        bool | None, _setting("Write a line of JSON a request to standard error.")
    ] = None,
    workers: Annotated[int | None, _setting("Processes that answer.")] = None,
    teach: Annotated[
        bool | None, _setting("Let people teach the server classes of their own.")
    ] = None,
    lessons_dir: Annotated[
        Path | None, _setting("Folder that keeps what is taught, when the server stops too.")
    ] = None,
    lesson_hours: Annotated[
        float | None, _setting("Hours after which an unused lesson is deleted.")
    ] = None,
    max_lessons: Annotated[int | None, _setting("Lessons that are kept at once.")] = None,
    max_classes: Annotated[int | None, _setting("Classes of one lesson.")] = None,
    max_lesson_pictures: Annotated[int | None, _setting("Pictures of one lesson.")] = None,
) -> None:
    """Answer over HTTP, and with --ui on a web page, until Ctrl-C."""
    from imagette.serving.server import serve as serve_model
    from imagette.serving.settings import Settings

    settings = Settings(
        model=model,
        max_upload_bytes=max_upload_bytes,
        max_pixels=max_pixels,
        max_pictures=max_pictures,
        max_seconds=max_seconds,
        requests_per_minute=requests_per_minute,
        rate_storage=rate_storage,
        api_keys=api_keys,
        cors_origins=cors_origins,
        trusted_proxies=trusted_proxies,
        log_requests=log_requests,
        workers=workers,
        teach=teach,
        lessons_dir=lessons_dir,
        lesson_hours=lesson_hours,
        max_lessons=max_lessons,
        max_classes=max_classes,
        max_lesson_pictures=max_lesson_pictures,
    )
    serve_model(settings, host=host, port=port, ui=ui, ui_port=ui_port)


@app.command(epilog="Example: imagette page --api http://api.example.org:5000 --host 0.0.0.0")
def page(
    api: Annotated[
        str, typer.Option(metavar="URL", envvar="IMAGETTE_API_URL", help="Address of the API.")
    ] = "http://127.0.0.1:5000",
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for all.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port of the page.")] = 8501,
    max_upload_bytes: Annotated[
        int | None,
        typer.Option(help="Largest file that the API takes; also IMAGETTE_MAX_UPLOAD_BYTES."),
    ] = None,
) -> None:
    """Show the web page of an API that runs elsewhere, until Ctrl-C.

    Where the API asks for keys, the page's own is in the environment: IMAGETTE_API_KEY.
    """
    from imagette.serving.settings import Settings
    from imagette.serving.webapp_process import serve_page

    settings = Settings(max_upload_bytes=max_upload_bytes)
    key = os.environ.get("IMAGETTE_API_KEY", "")
    # A stop asked for by a service manager is as clean as one from the keyboard.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    serve_page(api, host, port, settings.max_upload_bytes, key)


@app.command(epilog="Example: imagette demo")
def demo(
    model: ModelOption = Path("cifar10"),
    port: Annotated[int, typer.Option(help="Port of the API.")] = 5000,
    ui_port: Annotated[int, typer.Option(help="Port of the web page.")] = 8501,
    teach: Annotated[
        bool,
        typer.Option("--teach", help="Let people teach classes of their own, on the page too."),
    ] = False,
) -> None:
    """Serve a model that ships with Imagette, with its page, on this machine."""
    from imagette.serving.server import serve as serve_model
    from imagette.serving.settings import Settings

    settings = Settings(model=model, teach=teach or None)
    serve_model(settings, port=port, ui=True, ui_port=ui_port)


@benchmark.command(
    epilog="Example: imagette benchmark time-to-accuracy --recipes sprint-80 --runs 3"
)
def time_to_accuracy(
    recipes: Annotated[
        str | None,
        typer.Option(help="Recipes with commas between (default: the four sprints)."),
    ] = None,
    runs: Annotated[int, typer.Option(min=1, help="Trainings of each, with seeds 0, 1 …")] = 5,
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
        typer.Option("--out", help="Folder for what it leaves; what is there is gone on with."),
    ] = Path("time-to-accuracy"),
    data_dir: DataDirOption = None,
) -> None:
    """Train recipes with several seeds, beside the classic recipe by Keras' fit on TensorFlow.

    Ctrl-C stops; the same command goes on.
    """
    from imagette.benchmark.time_to_accuracy import RECIPES, time_to_accuracy
    from imagette.cli.progress import TrainingReporter

    names = [name.strip() for name in recipes.split(",")] if recipes else RECIPES
    reporter = TrainingReporter(err)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        rows = time_to_accuracy(
            names, runs, out=out_dir, dataset=dataset, data_dir=data_dir, tensorflow=tensorflow,
            reporter=reporter, say=lambda line: err.print(line, markup=False, soft_wrap=True),
        )  # fmt: skip
    except KeyboardInterrupt:
        err.print(f"Stopped. The same command goes on with what is in {out_dir}.", markup=False)
        raise typer.Exit(130) from None
    finally:
        reporter.close()
    _print_times(rows)
    _print(f"Table: {out_dir / 'summary.csv'}, plot: {out_dir / 'time-to-accuracy.png'}")


@benchmark.command(epilog="Example: imagette benchmark inference runs/first runs/second --rounds 3")
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
        str, typer.Option(metavar="N,N", help="CPU threads an answer may use.")
    ] = "1,2",
    batches: Annotated[str, typer.Option(metavar="N,N", help="Pictures given at once.")] = "1,256",
    rounds: Annotated[int, typer.Option(min=1, help="Measurements of each, in turns.")] = 7,
    out_dir: Annotated[Path, typer.Option("--out", help="Folder for what it leaves.")] = Path(
        "inference"
    ),
    as_json: JsonOption = False,
) -> None:
    """Measure how fast bundles answer, and draw it beside how right and how large they are."""
    from imagette.benchmark.inference import measure_inference

    counts, sizes = _numbers("--threads", threads), _numbers("--batches", batches)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        rows = measure_inference(
            bundles or (), threads=counts, batches=sizes, rounds=rounds, out=out_dir,
            say=lambda line: err.print(line, markup=False, soft_wrap=True),
        )  # fmt: skip
    except KeyboardInterrupt:
        err.print("Stopped; nothing was written.")
        raise typer.Exit(130) from None
    if as_json:
        print(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    _print_speeds(rows)
    _print(f"Table: {out_dir / 'summary.csv'}, plot: {out_dir / 'frontier.png'}")


def _numbers(option: str, text: str) -> list[int]:
    """Whole numbers with commas between.

    Raises:
        ImagetteError: it is something else.
    """
    try:
        return [int(number) for number in text.split(",")]
    except ValueError as error:
        raise ImagetteError(
            f"{option} takes whole numbers with commas between, not {text!r}.",
            f"Write, for example: {option} 1,2",
        ) from error


def _answers(
    classifier: "Classifier", pictures: list[str], drawings: Path | None, show: bool
) -> Iterator[dict[str, Any]]:
    """An answer for each picture, in order, unreadable ones in their place."""
    for name, picture in _sources(pictures):
        try:
            explanation = classifier.explain(picture) if drawings else None
            prediction = explanation.prediction if explanation else classifier.predict(picture)
        except ImageError as error:
            yield {"file": name, "error": error.problem, "remedy": error.remedy}
            if show:
                err.print(f"{name}: {error.problem} {error.remedy}", markup=False, soft_wrap=True)
            continue
        answer = {"file": name, **asdict(prediction)}
        if show:
            _print(f"{name}: {_in_words(prediction)}")
        if drawings and explanation:
            answer["explanation"] = str(_draw_why(explanation, name, picture, drawings))
            if show:
                _print(f"  why: {answer['explanation']}")
        yield answer


def _in_words(prediction: "Prediction") -> str:
    best = sorted(prediction.probabilities.items(), key=lambda item: -item[1])[:3]
    closest = ", ".join(f"{label} {value:.1%}" for label, value in best)
    if prediction.known is False:
        return f"none of these, by its familiarity of {prediction.familiarity:.1%}; {closest}"
    return closest


def _draw_why(explanation: "Explanation", name: str, picture: str | bytes, folder: Path) -> Path:
    """Write the picture with its heat map over it; the file that was written."""
    from imagette.files import write_bytes
    from imagette.images.preprocess import to_rgb
    from imagette.inference.explain import overlay

    image = to_rgb(picture)
    image.thumbnail((1024, 1024))
    enlarged = max(1, 256 // max(image.size))  # a picture of 32 pixels would show nothing
    image = image.resize((image.width * enlarged, image.height * enlarged), resample=0)
    file = io.BytesIO()
    overlay(image, explanation.heat).save(file, format="PNG")
    path = _free(folder / f"{Path(name).stem}-why.png")
    write_bytes(path, file.getvalue())
    return path


def _free(path: Path) -> Path:
    """The path, or a numbered one where that is taken: nothing is written over."""
    numbered = (path.with_stem(f"{path.stem}-{number}") for number in count(2))
    return path if not path.exists() else next(one for one in numbered if not one.exists())


def _sources(pictures: list[str]) -> Iterator[tuple[str, str | bytes]]:
    """Name and contents of each picture; folders give the pictures in them."""
    from imagette.images.preprocess import find_pictures

    for picture in pictures:
        if picture == "-":
            yield "stdin", sys.stdin.buffer.read()
        elif Path(picture).is_dir():
            found = find_pictures(Path(picture))
            if not found:
                raise ImagetteError(
                    f"There are no pictures in {picture}.", "Name a folder that holds some."
                )
            yield from ((str(path), str(path)) for path in found)
        else:
            yield picture, picture


def _audit(run: Path, dataset: str | None, data_dir: Path | None, folder: Path | None) -> None:
    from imagette.evaluation.label_issues import audit

    found = audit(run, dataset, data_dir=data_dir, out=folder)
    for pictures, doubts in found.doubts:
        learned = " (the model may have learned them)" if pictures.split == "train" else ""
        _print(
            f"{pictures.split}: {len(doubts):,} of {len(pictures.examples):,} labels are"
            f" doubtful{learned}"
        )
    if found.compared:
        first, number = found.compared[0], len(found.duplicates)
        _print(
            f"near duplicates: {number:,} of {len(first.examples):,} {first.split} pictures"
            f" ({number / len(first.examples):.2%}) have one among the training pictures"
        )
    _print(f"Page: {found.page}, tables: audit.csv and duplicates.csv beside it")


def _print_exploration(exploration: "Exploration") -> None:
    counts = exploration.counts
    rows = [
        [name, *(f"{counts[part].get(name, 0):,}" for part in counts)] for name in counts["train"]
    ]
    rows.append(["all", *(f"{sum(counts[part].values()):,}" for part in counts)])
    _print_table(["class", *counts], rows)
    for title, values in (("mean", exploration.mean), ("deviation", exploration.deviation)):
        red, green, blue = values
        _print(f"{title:<9} red {red:.2f}, green {green:.2f}, blue {blue:.2f} (of 255)")
    for where, found in exploration.duplicates.items():
        place = "across train and test" if where == "across" else f"within {where}"
        labels = f", {found.disagreeing} with labels that differ" if found.disagreeing else ""
        _print(f"exact duplicates {place}: {found.pictures}{labels}")
    for path, reason in exploration.skipped:
        _print(f"left out: {path}: {reason}")


def _print_metrics(metrics: dict[str, Any]) -> None:
    low, high = metrics["accuracy_interval"]
    where = {
        "test": f"on the test split of {metrics['dataset']}",
        "validation": f"on the pictures of {metrics['dataset']} held out for validation"
        " (it has no test split)",
        "leave-one-out": f"on the pictures of {metrics['dataset']}, each left out in turn"
        " (it has no test split)",
        "all": f"on all pictures of {metrics['dataset']} (it has no test split)",
    }[metrics["split"]]
    _print(
        f"Accuracy {metrics['accuracy']:.2%} {where}: {metrics['n']:,} pictures,"
        f" 95 % interval {low:.2%} to {high:.2%}, loss {metrics['loss']:.4f},"
        f" expected calibration error {metrics['calibration_error']:.2%},"
        f" Brier score {metrics['brier']:.4f}"
    )
    if _uneven(metrics["per_class"]):
        _print(
            f"Balanced accuracy {metrics['balanced_accuracy']:.2%}: every class counts alike,"
            " however many pictures it has"
        )
    if averaged := metrics.get("flip_averaged"):
        _print(
            f"With test-time augmentation (each picture averaged with its mirror image):"
            f" accuracy {averaged['accuracy']:.2%}, loss {averaged['loss']:.4f}"
        )
    if "corruption_accuracy" in metrics:
        _print(
            "Under corruption (mean of 15 kinds and five strengths):"
            f" accuracy {metrics['corruption_accuracy']:.2%}"
        )


def _uneven(per_class: dict[str, dict[str, float]]) -> bool:
    from imagette.data.dataset import IMBALANCE_RATIO

    counts = [row["support"] for row in per_class.values() if row["support"]]
    return max(counts) > IMBALANCE_RATIO * min(counts)


def _print_classes(per_class: dict[str, dict[str, float]]) -> None:
    rows = [
        [name, *(f"{row[key]:.1%}" for key in ("precision", "recall", "f1")), f"{row['support']:,}"]
        for name, row in per_class.items()
    ]
    _print_table(["class", "precision", "recall", "F1", "pictures"], rows)


def _print_comparison(rows: list[dict[str, Any]]) -> None:
    _print_table(
        ["run", "accuracy", "on", "loss", "epochs", "best", "seconds", "parameters"],
        [
            [
                row["run"],
                _shown(row["accuracy"], "{:.2%}"),
                _shown(row["split"], "{}"),
                _shown(row["loss"], "{:.4f}"),
                _shown(row["epochs"], "{}"),
                _shown(row["best_epoch"], "{}"),
                _shown(row["seconds"], "{:,.0f}"),
                _shown(row["parameters"], "{:,}"),
            ]
            for row in rows
        ],
    )


def _print_times(rows: list[dict[str, Any]]) -> None:
    _print_table(
        ["recipe", "runs", "accuracy %", "flipped", "seconds", "beside", "per s", "peak"],
        [
            [
                row["name"],
                str(row["runs"]),
                _spread(row, "accuracy", 100, 2),
                _shown(row["flip_averaged"] and 100 * row["flip_averaged"], "{:.2f}"),
                _spread(row, "seconds", 1, 1),
                _shown(_beside(row), "{:.1f}"),
                f"{row['pictures_per_second']:,.0f}",
                _shown(row["share_of_peak"], "{:.0%}"),
            ]
            for row in rows
        ],
    )
    _print("Means ± standard deviations, below them the 95 % intervals of the means.")
    _print("flipped: accuracy averaged over each picture and its mirror image.")
    _print("seconds: of training; beside: of compiling, rehearsing and validation, not among them.")
    _print("per s: pictures learned a second.")
    _print("peak: arithmetic a second, as a share of what matrix products reach here.")


def _print_speeds(rows: list[dict[str, Any]]) -> None:
    """A row a bundle; of more than four ways to measure, four to a table, which fits a terminal."""
    ways = list(dict.fromkeys((row["threads"], row["batch"]) for row in rows))
    names = list(dict.fromkeys(row["name"] for row in rows))
    found = {(row["name"], row["threads"], row["batch"]): row for row in rows}
    for start in range(0, len(ways), 4):
        some = ways[start : start + 4]
        _print_table(
            ["model", "accuracy\n%", "MB", *(_way(*way) for way in some)],
            [
                [
                    name,
                    _shown(first["accuracy"] and 100 * first["accuracy"], "{:.2f}"),
                    f"{first['megabytes']:.2f}",
                    *(_speed(found[name, *way]) for way in some),
                ]
                for name in names
                for first in [found[name, *some[0]]]
            ],
        )
    rounds = rows[0]["rounds"]
    measured = f"median and range of {rounds} rounds" if rounds > 1 else "one round"
    _print(f"Pictures a second: {measured}. Accuracy: on test pictures.")


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


def _shown(value: Any, form: str) -> str:
    return "-" if value is None else form.format(value)


def _print_table(columns: list[str], rows: list[list[str]]) -> None:
    """A table, its first column to the left and all others to the right."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for number, name in enumerate(columns):
        table.add_column(name, justify="right" if number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    out.print(table)


def _print(text: str) -> None:
    """Print a line as it is, however long, on stdout."""
    out.print(text, markup=False, soft_wrap=True)
