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

_SAYING = {"say", "print_line", "print_table", "_fail", "local", "tell", "on_step"}
_NOTES = ("notes", "lines", "problems")  # lists of sentences that are told later
_API = "RequestError"  # what the API answers is English
_HELP = ("help", "epilog", "rich_help_panel")
_OF_WORDS = (
    "cli/predict_progress.py", "cli/predict_sources.py", "cli/predict_words.py", "cli/progress.py",
    "data/check.py", "data/class_names.py", "data/sources/[!_]*.py", "images/find_images.py",
    "images/signatures.py", "inference/sorted_copies.py", "serving/worker_watch.py",
    "training/default_recipe.py", "training/last_steps.py", "training/other_formats.py", "runs.py",
)  # fmt: skip
"""Modules whose texts of several words are all told to people, wherever they stand."""
_NOT_TOLD = re.compile(
    r"CC BY|CIFAR-10 \(|numbers do not end|not a JSON object|[|\\]|^[a-z]+/|--"
    r"|network trash|system volume|temporary items"
)
_WORD = re.compile(r"(?<![-./'])\b[A-Za-z][a-z]+\b(?![-.=]['\w])")
_COMMANDS = {*app._COMMANDS, *(command.__name__ for command in app._BENCHMARKS)}


@cache
def said_sentences() -> dict[str, str]:
    """Each sentence with `{}` at its places, and the file that says it."""
    files = {path: ast.parse(path.read_text("utf-8")) for path in sorted(ROOT.rglob("*.py"))}
    saying = _SAYING | set(_raising(files.values()))
    constants = dict(pair for tree in files.values() for pair in _constants(tree))
    found: dict[str, str] = {}
    for path, tree in files.items():
        here = saying - set(_functions_giving({_API}, tree))
        whole = any(path.relative_to(ROOT).match(pattern) for pattern in _OF_WORDS)
        told = _all_texts(tree) if whole else ()
        for sentence in (*_said_in(tree, here, constants), *_help_of(path, tree), *told):
            for line in sentence.split("\n"):
                found.setdefault(anonymous(line), str(path.relative_to(ROOT)))
    return {sentence: file for sentence, file in found.items() if has_words(sentence)}


@cache
def _nodes(tree: ast.AST) -> list[ast.AST]:
    """All nodes of a module or a function, which several walks below ask for."""
    return list(ast.walk(tree))


def anonymous(sentence: str) -> str:
    """A sentence with `{}` where a value stands, as the catalogue and the code call those
    differently."""
    return re.sub(r"\{\w+\}", "{}", sentence).strip()


def has_words(sentence: str) -> bool:
    """Whether there is anything to translate, other than names of code and files."""
    rest = sentence.replace("{}", " ")
    return rest.lower() != "none" and bool(_WORD.search(rest))


def _raising(trees: Collection[ast.Module]) -> Iterator[str]:
    """The errors that are two sentences, and the functions that make one."""
    bases = {"ImagetteError"}
    for tree in trees:
        for node in _nodes(tree):
            if isinstance(node, ast.ClassDef) and node.name != _API:
                bases |= {node.name} if any(ast.unparse(b) in bases for b in node.bases) else set()
    yield from bases
    for tree in trees:
        yield from _functions_giving(bases, tree)


def _functions_giving(errors: set[str], tree: ast.Module) -> Iterator[str]:
    for node in _nodes(tree):
        if isinstance(node, ast.FunctionDef) and node.returns:
            yield from {node.name} if ast.unparse(node.returns) in errors else ()


def _all_texts(tree: ast.Module) -> Iterator[str]:
    """Every text of several words, but for docstrings and annotations."""
    parts = {id(part) for node in _nodes(tree) for part in _no_texts(node)}
    for node in _nodes(tree):
        if id(node) not in parts and isinstance(node, ast.Constant | ast.JoinedStr):
            for text in _texts(node):
                if _several_words(text) and not _NOT_TOLD.search(text):
                    yield text


def _no_texts(node: ast.AST) -> Iterator[ast.AST]:
    """What in a node looks like a text, and is none or only a part of one."""
    if isinstance(node, ast.JoinedStr):
        yield from node.values
    if isinstance(node, ast.Expr):
        yield node.value
    if isinstance(node, ast.arg | ast.AnnAssign) and node.annotation:
        yield from ast.walk(node.annotation)
    if isinstance(node, ast.FunctionDef) and node.returns:
        yield from ast.walk(node.returns)


def _several_words(text: str) -> bool:
    return bool(re.search(r"[a-z] [a-z{]|[}] [a-z]{2}", text))


def _constants(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Texts of several words that a module has a name for."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            for text in _texts(node.value):
                if _several_words(text):
                    yield node.targets[0].id, text


def _said_in(tree: ast.Module, saying: set[str], constants: dict[str, str]) -> Iterator[str]:
    for function in _nodes(tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        variables = set()
        for node in _nodes(function):
            if isinstance(node, ast.Call) and (_name(node.func) in saying or _is_noted(node)):
                for given in (*node.args, *(keyword.value for keyword in node.keywords)):
                    yield from _texts(given)
                    names = {n.id for n in ast.walk(given) if isinstance(n, ast.Name)}
                    variables |= names
                    yield from (constants[name] for name in names & set(constants))
        for node in _nodes(function):
            targets = node.targets if isinstance(node, ast.Assign) else ()
            targets = [node.target] if isinstance(node, ast.AugAssign) else targets
            if variables & {name for target in targets for name in ast.unparse(target).split(", ")}:
                yield from _texts(node.value)


def _is_noted(call: ast.Call) -> bool:
    """Whether a text is put into a list of those that are told later."""
    return ast.unparse(call.func) in {f"{name}.append" for name in _NOTES}


def _help_of(path: Path, tree: ast.Module) -> Iterator[str]:
    for node in _nodes(tree):
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
        case ast.List(elts=several) | ast.Tuple(elts=several):
            for one in several:
                yield from _texts(one)
        case ast.IfExp(body=one, orelse=other):
            yield from (*_texts(one), *_texts(other))
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            yield from (*_texts(left), *_texts(right))
        case ast.BoolOp(values=several):
            for one in several:
                yield from _texts(one)
