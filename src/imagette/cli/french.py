"""Typer's own words in French, and the help of commands, where the person's system speaks it."""

import re
from typing import Any

from rich import _wrap
from typer import rich_utils

from imagette.terminal import local
from imagette.translate import system_language, translated

# Titles and marks of help that Typer keeps as constants; those that read alike are left out.
_WORDS = {
    "DEPRECATED_STRING": "(obsolète) ",
    "DEFAULT_STRING": "[par défaut\u00a0: {}]",
    "ENVVAR_STRING": "[variable\u00a0: {}]",
    "REQUIRED_LONG_STRING": "[obligatoire]",
    "COMMANDS_PANEL_TITLE": "Commandes",
    "ERRORS_PANEL_TITLE": "Erreur",
    "ABORTED_TEXT": "Abandonné.",
    "RICH_HELP": "Voir l'aide\u00a0: [blue]{command_path} {help_option}[/]",
}
_TEXTS = ("help", "short_help", "epilog", "rich_help_panel", "metavar")

# Words as lines are broken between them: Rich breaks at spaces that do not break, too.
_WORD = re.compile(r"[ \t\n]*[^ \t\n]+[ \t\n]*")


def speak_french() -> None:
    """Let Typer's help and errors be French, if the person's system is; else do nothing."""
    if system_language() != "fr":
        return
    for name, words in _WORDS.items():
        setattr(rich_utils, name, words)
    setattr(_wrap, "re_word", _WORD)  # noqa: B010
    show_error = rich_utils.rich_format_error

    def show_french_error(error: Any) -> None:
        text = translated(error.format_message(), "fr")
        error.format_message = lambda: text
        show_error(error)

    setattr(rich_utils, "rich_format_error", show_french_error)  # noqa: B010


def localize(command: Any) -> Any:
    """A command, and those below it, with their help in the language of the person's system."""
    _localize_texts(command)
    for below in getattr(command, "commands", {}).values():
        localize(below)
    get_params = command.get_params

    def get_local_params(context: Any) -> Any:  # those that Typer adds, such as --help, as well
        found = get_params(context)
        for one in found:
            _localize_texts(one)
        return found

    command.get_params = get_local_params
    return command


def _localize_texts(part: Any) -> None:
    for field in _TEXTS:
        if isinstance(text := getattr(part, field, None), str):
            paragraphs = (re.sub(r"[ \n]+", " ", lines).strip() for lines in text.split("\n\n"))
            setattr(part, field, "\n\n".join(map(local, paragraphs)))
