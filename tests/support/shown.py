"""What the documentation shows: its pages, their code, and the `imagette` commands in it."""

import importlib.util
import json
import re
import shlex
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from textwrap import dedent
from types import ModuleType

import typer

from imagette.cli.app import app

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
# Those made of notebooks, which are read themselves, are left out.
PAGES = sorted(page for page in DOCS.rglob("*.md") if page.parent.name != "lessons")
CARDS = sorted((ROOT / "src" / "imagette" / "assets").glob("*.md"))
NOTEBOOKS = sorted((ROOT / "notebooks").rglob("*.ipynb"))
ABOUT_NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.md"))
TEXTS = [*PAGES, *sorted(ROOT.glob("*.md")), *CARDS, *ABOUT_NOTEBOOKS, *NOTEBOOKS]
COMMAND_LINE = typer.main.get_command(app)

_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
_INDENTED = re.compile(r"(?:(?<=\n\n)|^)(?:    .*\n|\n(?=    ))+")
_TAB = re.compile(r'^=== ".*"\n((?:    .*\n|\n)+)', re.MULTILINE)
_INLINE = re.compile(r"`(imagette [^`]+)`")


def read(file: Path) -> str:
    """The text of a page; of a notebook its texts and, as blocks, the lines given to a shell."""
    text = file.read_text(encoding="utf-8")
    if file.suffix != ".ipynb":
        return text
    cells = [(cell["cell_type"], "".join(cell["source"])) for cell in json.loads(text)["cells"]]
    return "\n\n".join(
        source if kind == "markdown" else _shell_lines(source) for kind, source in cells
    )


def _shell_lines(code: str) -> str:
    lines = re.findall(r"^ *!((?:.*\\\n)*.*)", code, re.MULTILINE)
    return "```sh\n" + "\n".join(lines) + "\n```" if lines else ""


def code_blocks(text: str) -> list[tuple[str, str]]:
    """Language and code of each block, fenced or indented, in order."""
    text = _untabbed(text)
    found = [(match.start(), match[2], match[3]) for match in _FENCE.finditer(text)]
    for match in _INDENTED.finditer(_without_fenced(text)):
        code = re.sub(r"^    ", "", match[0], flags=re.MULTILINE)
        found.append((match.start(), "", code))
    return [(language, code) for _, language, code in sorted(found)]


def prose(text: str) -> str:
    """The text without its code blocks."""
    text = _untabbed(text)
    return _INDENTED.sub("", _without_fenced(text)).replace("\0", "")


def _untabbed(text: str) -> str:
    """The text with what is in tabs, which is indented, as if it stood below each other."""
    return _TAB.sub(lambda tab: dedent(tab[1]), text)


def _without_fenced(text: str) -> str:
    """The text with zeros in place of fenced code, so that all else stays where it is."""
    return _FENCE.sub(lambda match: re.sub(r"[^\n]", "\0", match[0]), text) + "\n"


def commands(text: str) -> list[list[str]]:
    """Every `imagette` command that the text shows whole, as its words without `imagette`."""
    lines = [
        line
        for language, code in code_blocks(text)
        if language in ("", "sh", "bash", "console")
        for line in code.replace("\\\n", " ").splitlines()
    ]
    return [words for line in lines for words in _called(line)]


def mentions(text: str) -> list[list[str]]:
    """The words after `imagette` where running text mentions a command, perhaps in part."""
    return [_words(said)[1:] for said in _INLINE.findall(" ".join(prose(text).split()))]


def _words(line: str) -> list[str]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    return list(lexer)


def _called(line: str) -> Iterator[list[str]]:
    if "imagette" not in line.partition("#")[0]:
        return
    words = _words(line)
    for number, word in enumerate(words):
        before = [one for one in words[:number] if one != "$" and "=" not in one]
        if word == "imagette" and not [one for one in before if one not in ("exec", "&&", ";")]:
            after = words[number + 1 :]
            yield list(takewhile(lambda word: not word or set(word) - set("|&;<>"), after))


def parse(words: list[str]) -> tuple[str, dict]:
    """The command's name and what its parameters come to.

    Raises whatever the command line raises about what it does not understand.
    """
    context = COMMAND_LINE.make_context("imagette", list(words))
    command, name = COMMAND_LINE, ""
    while hasattr(command, "commands") and (words := _left(context)):
        name, command, words = command.resolve_command(context, words)
        context = command.make_context(name, words, parent=context)
    return name, context.params


def _left(context) -> list[str]:
    return [*context._protected_args, *context.args]


def find_command(words: list[str]) -> tuple[object, list[str]]:
    """The command that the words name, and the words after its name."""
    command = COMMAND_LINE
    while words and words[0] in getattr(command, "commands", {}):
        command, words = command.commands[words[0]], words[1:]
    return command, words


def load_tool(name: str) -> ModuleType:
    """A program of tools/, which is in no package."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
