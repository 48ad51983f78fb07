"""The command line: which commands there are, and what becomes of errors.

A command parses, calls the package and prints; each group of them has a file beside this one.
"""

import io
import sys
from collections.abc import Callable
from typing import Annotated, NoReturn

import typer
from rich.markup import escape

from imagette import __version__
from imagette.cli.benchmark import inference, time_to_accuracy
from imagette.cli.console import err
from imagette.cli.evaluate import compare, evaluate
from imagette.cli.explore import explore
from imagette.cli.export import export
from imagette.cli.models import models
from imagette.cli.predict import predict
from imagette.cli.serve import demo, page, serve
from imagette.cli.train import train
from imagette.errors import ImagetteError
from imagette.wording import without_controls

# What `imagette[train]` brings, by import names.
_TRAIN_MODULES = (
    "cleanlab", "keras", "matplotlib", "onnx", "onnxscript", "pooch", "pyarrow", "scipy", "sklearn",
    "tomli_w", "torch", "tqdm",
)  # fmt: skip

_COMMANDS: dict[Callable[..., None], str] = {
    explore: "imagette explore digits --out digits-pages",
    train: "imagette train my_pictures/",
    evaluate: "imagette evaluate runs/first --json",
    predict: "imagette predict cat.jpg holidays/",
    models: "imagette models --json",
    compare: "imagette compare runs/first runs/second",
    export: "imagette export model.h5 --format onnx --classes cat,dog,ship --pixels 1",
    serve: "imagette serve --model runs/first/model.onnx --ui",
    page: "imagette page --api http://api.example.org:5000 --host 0.0.0.0",
    demo: "imagette demo",
}
"""Each with an example, in the order of `imagette --help`."""

_BENCHMARKS: dict[Callable[..., None], str] = {
    time_to_accuracy: "imagette benchmark time-to-accuracy --recipes sprint-80 --runs 3",
    inference: "imagette benchmark inference runs/first runs/second --rounds 3",
}

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
for _group, _commands in ((app, _COMMANDS), (benchmark, _BENCHMARKS)):
    for _command, _example in _commands.items():
        _group.command(epilog=f"Example: {_example}")(_command)


@app.callback(invoke_without_command=True)
def _options(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    if version:
        print(__version__)
        raise typer.Exit


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
    err.print(f"[bold red]Error:[/] {escape(without_controls(problem))}", soft_wrap=True)
    err.print(escape(without_controls(remedy)), soft_wrap=True)
    sys.exit(1)
