"""Write the generated parts of the reference from the code that they describe.

    python tools/reference.py

A part stands in a page of docs/reference/ between `<!-- generated: NAME -->` and `<!-- end -->`;
what is around it is written by hand. tests/docs/ fails where a part is not what this would write.
"""

import inspect
import re
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import typer

from imagette.cli.app import app
from imagette.inference.bundle import SHIPPED
from imagette.serving.app import create_app
from imagette.serving.schemas.base import Problem
from imagette.serving.schemas.predict import PictureAnswer
from imagette.serving.settings import Settings, variable
from imagette.training.recipe import PRESETS, Recipe, presets
from imagette.training.recipe_tables import TABLES, Table

PAGES = Path(__file__).parents[1] / "docs" / "reference"
_PART = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)

# Defaults that depend on the machine or are better said in words.
_DEFAULTS = {
    "model": "`cifar10`",
    "workers": "the number of cores, at most 4",
    "decoding_bytes": "by the memory that there is",
}


def commands() -> str:
    """Every command, with its arguments and options, as `--help` says them."""
    root = typer.main.get_command(app)
    return "\n".join(_command(path, command) for path, command in walk(root, "imagette"))


def walk(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    """A command and all below it, each with the words that call it."""
    yield path, command
    for name, below in getattr(command, "commands", {}).items():
        yield from walk(below, f"{path} {name}")


def _command(path: str, command: Any) -> str:
    groups = hasattr(command, "commands")
    usage = [path, *(_usage(one) for one in command.params if one.param_type_name == "argument")]
    text = f"## {path}\n\n{inspect.cleandoc(command.help)}\n\n"
    text += f"```text\n{' '.join(usage)}{' COMMAND' if groups else ''} [OPTIONS]\n```\n\n"
    types = typing.get_type_hints(command.callback) if command.callback else {}
    rows = [
        [_name(one, types), _cell(one.help), _default(one)]
        for one in command.params
        if one.name not in ("help", "install_completion", "show_completion")
    ]
    if rows:
        text += _table(["argument or option", "what it is", "default"], rows)
    if command.epilog and command.epilog.startswith("Example: "):
        text += f"```sh\n{command.epilog.removeprefix('Example: ')}\n```\n"
    return text


def _usage(argument: Any) -> str:
    return _argument(argument) if argument.required else f"[{_argument(argument)}]"


def _name(parameter: Any, types: dict[str, Any]) -> str:
    if parameter.param_type_name == "argument":
        return f"`{_argument(parameter)}`".replace("|", "\\|")
    names = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
    value = _value(parameter, types[parameter.name])
    return f"{names} {value}" if value else names


def _argument(argument: Any) -> str:
    return argument.metavar or argument.name.upper()


def _value(option: Any, kind: Any) -> str:
    """What is written after an option; nothing after one that is given or not."""
    if option.metavar:
        return f"*{option.metavar}*"
    one = next((part for part in typing.get_args(kind) if part is not type(None)), kind)
    if typing.get_origin(one) is Literal:
        kind, one = one, None
    if typing.get_origin(kind) is Literal:
        return " or ".join(f"`{choice}`" for choice in typing.get_args(kind))
    return {bool: "", str: "*TEXT*", int: "*NUMBER*", float: "*NUMBER*", Path: "*PATH*"}[one]


def _default(parameter: Any) -> str:
    value = parameter.default
    if parameter.required:
        return "must be given"
    if value is None or value is False:
        return ""
    return f"`{value}`"


def settings() -> str:
    """Every setting of the API: its variable, its flag, its default."""
    rows = []
    for name, field in Settings.model_fields.items():
        default = _DEFAULTS.get(name) or _plain(field.default)
        flag = f"--{name.replace('_', '-')}"
        rows.append([f"`{variable(name)}`", f"`{flag}`", default, _cell(field.description)])
    return _table(["variable", "flag of `imagette serve`", "default", "what it is"], rows)


def recipe_fields() -> str:
    """Every field of a recipe, with its type, its default, and what its docstring says."""
    text = _field_table(Recipe)
    for name, table in TABLES.items():
        said = (inspect.getdoc(table) or "").partition("\n")[0]
        text += f"\n### `[{name}]`\n\n{said}\n\n{_field_table(table, f'{name}.')}"
    return text


def _field_table(table: type[Table], prefix: str = "") -> str:
    described = docstring_attributes(table)
    rows = []
    for name, field in table.model_fields.items():
        if name in TABLES:
            continue
        default = "must be given" if field.is_required() else _plain(field.default)
        rows.append([f"`{prefix}{name}`", _kind(field.annotation), default, _cell(described[name])])
    return _table(["field", "values", "default", "what it is"], rows)


def docstring_attributes(cls: type) -> dict[str, str]:
    """What the section `Attributes:` of a class's docstring says of each."""
    text = inspect.getdoc(cls) or ""
    section = text.partition("Attributes:\n")[2].partition("\n\n")[0]
    entries = re.split(r"^    (\w+): ", section, flags=re.M)[1:]
    return {
        name: " ".join(said.split()) for name, said in zip(entries[::2], entries[1::2], strict=True)
    }


def recipes() -> str:
    """The recipes that come with Imagette, with what their files open with."""
    rows = []
    for name in presets():
        lines = (PRESETS / f"{name}.toml").read_text(encoding="utf-8").split("\n\n")[0].splitlines()
        said = " ".join(line.lstrip("# ") for line in lines).strip()
        said = re.sub(rf"^imagette train --recipe {name}( my_pictures/)?\s*", "", said)
        said = re.sub(r"docs/([\w/-]+\.md)", r"[\1](../\1)", said)
        rows.append([f"`{name}`", _cell(said)])
    return _table(["recipe", "what to expect"], rows)


def routes() -> str:
    """Every address of the API, from its OpenAPI document."""
    paths = _openapi()["paths"]
    rows = [
        [f"`{method.upper()} {path}`", _cell(operation["summary"])]
        for path, operations in paths.items()
        for method, operation in operations.items()
    ]
    return _table(["request", "answer"], rows)


def parameters() -> str:
    """What `POST /predict` takes in its address."""
    rows = [
        [f"`{one['name']}`", _cell(one.get("description") or one["schema"].get("description", ""))]
        for one in _openapi()["paths"]["/predict"]["post"]["parameters"]
    ]
    return _table(["in the address", "what it does"], rows)


def answer() -> str:
    """The fields of an answer about a picture."""
    return _fields(PictureAnswer)


def problem() -> str:
    """The fields of an error."""
    return _fields(Problem)


def _fields(model: Any) -> str:
    rows = [
        [f"`{field.alias or name}`", _cell(field.description)]
        for name, field in model.model_fields.items()
    ]
    return _table(["field", "what it is"], rows)


def _openapi() -> dict[str, Any]:
    return create_app(Settings(model=SHIPPED["cifar10-lite"])).api_doc


def _kind(annotation: Any) -> str:
    """A field's type in plain words."""
    if choices := getattr(annotation, "__args__", None):
        if getattr(annotation, "__origin__", None) is dict:
            return "table"
        return ", ".join(f"`{choice}`" for choice in choices)
    names = {"str": "text", "int": "whole number", "float": "number", "bool": "true or false"}
    return names[annotation.__name__]


def _plain(value: Any) -> str:
    """A default as a person would write it; nothing for what is empty."""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return "" if value in ("", (), {}, None) else f"`{value}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n\n"


PARTS = {
    make.__name__: make
    for make in (commands, settings, recipe_fields, recipes, routes, parameters, answer, problem)
}


def refresh(page: str) -> str:
    """The text of a page with its generated parts made anew."""
    return _PART.sub(lambda part: f"{part[1]}\n{PARTS[part[2]]()}{part[3]}", page)


def main() -> None:
    for page in sorted(PAGES.glob("*.md")):
        text = page.read_text(encoding="utf-8")
        page.write_text(refresh(text), encoding="utf-8")


if __name__ == "__main__":
    main()
