"""Typer's own words in French, and the help of commands, where the person's system speaks it."""

from typing import Any

from typer import rich_utils

from imagette.cli.console import local
from imagette.translate import system_language, translated

# Titles and marks of help that Typer keeps as constants; those that read alike are left out.
_WORDS = {
    "DEPRECATED_STRING": "(obsolète) ",
    "DEFAULT_STRING": "[par défaut : {}]",
    "ENVVAR_STRING": "[variable : {}]",
    "REQUIRED_LONG_STRING": "[obligatoire]",
    "COMMANDS_PANEL_TITLE": "Commandes",
    "ERRORS_PANEL_TITLE": "Erreur",
    "ABORTED_TEXT": "Abandonné.",
    "RICH_HELP": "Voir l'aide : [blue]{command_path} {help_option}[/]",
}


def speak_french() -> None:
    """Let Typer's help and errors be French, if the person's system is; else do nothing."""
    if system_language() != "fr":
        return
    for name, words in _WORDS.items():
        setattr(rich_utils, name, words)
    show_error = rich_utils.rich_format_error

    def show_french_error(error: Any) -> None:
        text = translated(error.format_message(), "fr")
        error.format_message = lambda: text
        show_error(error)

    setattr(rich_utils, "rich_format_error", show_french_error)  # noqa: B010


def localize(command: Any) -> Any:
    """A command with its help in the language of the person's system."""
    for part in (command, *command.params):
        for field in ("help", "short_help", "epilog", "rich_help_panel"):
            if isinstance(text := getattr(part, field, None), str):
                paragraphs = (" ".join(lines.split()) for lines in text.split("\n\n"))
                setattr(part, field, "\n\n".join(map(local, paragraphs)))
    return command
