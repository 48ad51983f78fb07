"""stub until main's comes"""

_SPLITS = {
    "train": "train",
    "training": "train",
    "test": "test",
    "testing": "test",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "eval": "validation",
}


def split_named(text: str) -> str | None:
    return _SPLITS.get(text.strip().lower())
