"""What Imagette wrote itself, and must not learn from."""

from pathlib import Path

from imagette.files import MARK, SOFTWARE
from imagette.images.signatures import first_bytes

_PLOTS = {
    "classes.png": "index.html", "examples.png": "index.html", "duplicates.png": "index.html",
    "confusion.png": "metrics.json", "reliability.png": "metrics.json",
    "curves.png": "metrics.json",
    "time-to-accuracy.png": "summary.csv", "frontier.png": "summary.csv", "compare.png": "",
}  # fmt: skip
"""The plots that Imagette writes, each with a file that it writes beside it; heat maps are called
`NAME-why.png`."""
_SIGNED = f"tEXtSoftware\0{SOFTWARE}".encode()


def may_be_own_image(name: str) -> bool:
    """Whether a PNG file is called as a plot or heat map of Imagette is."""
    return name in _PLOTS or "-why" in name


def is_own_image(path: Path) -> bool:
    """Whether a PNG file is a plot or heat map of Imagette: it says so, or lies beside the file
    that an earlier version wrote with it."""
    beside = _PLOTS.get(path.name)
    return _SIGNED in first_bytes(path) or bool(beside and path.with_name(beside).is_file())


def is_marked(folder: Path) -> bool:
    """Whether a folder was made by Imagette, or is as earlier versions left them."""
    left = (("recipe.toml", "environment.json"), ("audit.html", "audit.csv"), (".lock",))
    return (
        (folder / MARK).exists()
        or any(all((folder / name).is_file() for name in names) for names in left)
        or (folder.name == "runs" and not any(folder.iterdir()))
    )
