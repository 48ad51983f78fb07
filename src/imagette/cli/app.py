"""The command line: which commands there are, and what becomes of errors.

A command parses, calls the package and prints; each group of them has a file beside this one.
"""

import io
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Annotated, Any, NoReturn

import typer
from rich.markup import escape
from typer.core import TyperGroup

from imagette import __version__
from imagette.cli.benchmark import inference, time_to_accuracy
from imagette.cli.console import err
from imagette.cli.french import localize, speak_french
from imagette.errors import ImagetteError
from imagette.terminal import local

# What `imagette[train]` brings, by import names.
_TRAIN_MODULES = (
    "cleanlab", "keras", "matplotlib", "onnx", "onnxscript", "pooch", "pyarrow", "scipy", "sklearn",
    "tomli_w", "torch", "tqdm",
)  # fmt: skip

_COMMANDS = {
    "explore": ("explore", "digits --out digits-pages"),
    "train": ("train", "my_pictures/"),
    "tune": ("tune", "digits --space space.toml --trials 20"),
    "evaluate": ("evaluate", "runs/first --json"),
    "predict": ("predict", "cat.jpg holidays/"),
    "models": ("models", "--json"),
    "compare": ("evaluate", "runs/first runs/second"),
    "export": ("export", "model.h5 --format onnx --classes cat,dog,ship --pixels 1"),
    "serve": ("serve", "--model runs/first/model.onnx --ui"),
    "page": ("serve", "--api http://api.example.org:5000 --host 0.0.0.0"),
    "demo": ("serve", ""),
}
"""Each with its module beside this one and an example, in the order of `imagette --help`."""

_BENCHMARKS: dict[Callable[..., None], str] = {
    time_to_accuracy: "time-to-accuracy --recipes sprint-80 --runs 3",
    inference: "inference runs/first runs/second --rounds 3",
}


class _LazyCommands(Mapping[str, Any]):
    """Commands that are made when they are asked for, so that none waits for what others import."""

    def __init__(self, made: Mapping[str, Any]) -> None:
        self._made = {name: localize(command) for name, command in made.items()}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            module, example = _COMMANDS[name]
            alone = typer.Typer(add_completion=False)
            command = alone.command(epilog=f"Example: imagette {name} {example}".rstrip())
            command(getattr(import_module(f"imagette.cli.{module}"), name))
            self._made[name] = localize(typer.main.get_command(alone))
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys((*_COMMANDS, *self._made)))

    def __len__(self) -> int:
        return len(list(iter(self)))


class _Group(TyperGroup):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        localize(self)
        self.commands = _LazyCommands(self.commands)  # type: ignore[assignment]


app = typer.Typer(
    name="imagette",
    cls=_Group,
    help="From labelled pictures to a classifier that people really use.",
    epilog="Begin with: imagette demo",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
benchmark = typer.Typer(help="Compare Imagette with the usual tools.", no_args_is_help=True)
app.add_typer(benchmark, name="benchmark")
for _command, _example in _BENCHMARKS.items():
    benchmark.command(epilog=f"Example: imagette benchmark {_example}")(_command)


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
    speak_french()
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
    err.print(f"[bold red]{local('Error:')}[/] {escape(local(problem))}", soft_wrap=True)
    err.print(escape(local(remedy)), soft_wrap=True)
    sys.exit(1)
