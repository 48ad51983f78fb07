"""The sentences that Imagette's code says on a terminal, read from the code itself."""

import ast
import re
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path

import imagette
from imagette.cli import app
from imagette.serving.settings import Settings

ROOT = Path(imagette.__file__).parent

_SAYING = {"say", "print_line", "_fail"}
_API = "RequestError"  # what the API answers is English
_HELP = ("help", "epilog", "rich_help_panel")
_COMMANDS = {*app._COMMANDS, *(command.__name__ for command in app._BENCHMARKS)}


@cache
def said_sentences() -> dict[str, str]:
    """Each sentence with `{}` at its places, and the file that says it."""
    files = {path: ast.parse(path.read_text("utf-8")) for path in sorted(ROOT.rglob("*.py"))}
    saying = _SAYING | set(_raising(files.values()))
    found: dict[str, str] = {}
    for path, tree in files.items():
        here = saying - set(_functions_giving({_API}, tree))
        for sentence in (*_said_in(tree, here), *_help_of(path, tree)):
            found.setdefault(anonymous(sentence), str(path.relative_to(ROOT)))
    return {sentence: file for sentence, file in found.items() if has_words(sentence)}


def anonymous(sentence: str) -> str:
    """A sentence with `{}` where a value stands, as the catalogue and the code call those
    differently."""
    return re.sub(r"\{\w+\}", "{}", sentence).strip()


def has_words(sentence: str) -> bool:
    """Whether there is anything to translate."""
    return bool(re.search(r"[a-z]{2}", sentence.replace("{}", "")))


def _raising(trees: Collection[ast.Module]) -> Iterator[str]:
    """The errors that are two sentences, and the functions that make one."""
    bases = {"ImagetteError"}
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and node.name != _API:
                bases |= {node.name} if any(ast.unparse(b) in bases for b in node.bases) else set()
    yield from bases
    for tree in trees:
        yield from _functions_giving(bases, tree)


def _functions_giving(errors: set[str], tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.returns:
            yield from {node.name} if ast.unparse(node.returns) in errors else ()


def _said_in(tree: ast.Module, saying: set[str]) -> Iterator[str]:
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        variables = set()
        for node in ast.walk(function):
            if isinstance(node, ast.Call) and _name(node.func) in saying:
                for given in (*node.args, *(keyword.value for keyword in node.keywords)):
                    yield from _texts(given)
                    variables |= {given.id} if isinstance(given, ast.Name) else set()
        for node in ast.walk(function):
            targets = node.targets if isinstance(node, ast.Assign) else ()
            if variables & {ast.unparse(target) for target in targets}:
                yield from _texts(node.value)


def _help_of(path: Path, tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            for keyword in node.keywords:
                if keyword.arg in _HELP:
                    yield from _texts(keyword.value)
    if path.parent.name == "cli":
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and node.name in _COMMANDS:
                for paragraph in (ast.get_docstring(node) or "").split("\n\n"):
                    yield " ".join(paragraph.split())
    if path.name == "settings.py":
        for field in Settings.model_fields.values():
            text = field.description or ""
            yield f"{text[:1].upper()}{text[1:]}."


def _name(function: ast.expr) -> str:
    return ast.unparse(function).rpartition(".")[2]


def _texts(node: ast.expr) -> Iterator[str]:
    """The texts that an expression can be, and those that its places can be."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=parts):
            yield "".join("{}" if isinstance(p, ast.FormattedValue) else p.value for p in parts)
            for part in parts:
                if isinstance(part, ast.FormattedValue):
                    yield from _texts(part.value)
        case ast.IfExp(body=one, orelse=other):
            yield from (*_texts(one), *_texts(other))
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            yield from (*_texts(left), *_texts(right))
        case ast.BoolOp(values=several):
            for one in several:
                yield from _texts(one)
