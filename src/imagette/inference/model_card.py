"""The card of a model: what it is for, what it learned from, how good it is, and its limits.

It follows the conventions of the Hugging Face Hub, a `README.md` that begins with YAML, and says
only what the bundle says of itself, so that whoever has the file can have its card.
"""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from imagette.files import write_text
from imagette.inference.metadata import BundleMetadata, ModelFacts
from imagette.reports.texts import NUMBERS
from imagette.wording import Language, listed

FILES: dict[Language, str] = {"en": "README.md", "fr": "README.fr.md"}
"""What the cards in a run folder are called."""
MOST_ROWS = 100
"""Tables of more classes than this are left out."""

_MARKUP = re.compile(r"([\\`*_\[\]<>|#&~$@])")


def write_cards(folder: Path, metadata: BundleMetadata) -> None:
    """Write the card of a run in each language, beside its report."""
    for language, name in FILES.items():
        write_text(folder / name, model_card(metadata, language))


def model_card(metadata: BundleMetadata, language: Language) -> str:
    """A card as Markdown.

    Args:
        metadata: what the bundle says of itself.
        language: of the card; what stands in its YAML is the same in all.
    """
    recipe, measured = metadata.recipe or {}, metadata.evaluation or {}
    names = metadata.class_names_fr if language == "fr" else metadata.class_names
    counts = metadata.counts
    values = {
        "title": _literal(_title(metadata)),
        "facts": metadata,
        "names": [_literal(name) for name in names],
        "dataset": _literal(_dataset(metadata)),
        "totals": {split: sum(each) for split, each in counts.items()},
        "total": sum(map(sum, counts.values())),
        "samples": sum(map(len, metadata.samples)),
        "recipe": recipe,
        "size": recipe.get("inference_size") or recipe.get("image_size"),
        "closed_form": recipe.get("epochs") == 0,
        "measured": measured,
        "per_class": list(measured.get("per_class", {}).values()),
        "macro_f1": _macro_f1(measured),
        "with_tables": len(names) <= MOST_ROWS,
    }
    text = _environment(language).get_template(f"model_card.{language}.j2").render(values)
    front = _yaml(_front_matter(metadata))
    if not front[0].startswith("license"):
        front.insert(0, "# license: yours to choose, before you publish this model")
    return "\n".join(["---", *front, "---", "", text.strip(), ""])


def _front_matter(facts: ModelFacts) -> dict[str, Any]:
    """What the Hub reads. The licence of a run is left to whoever made it."""
    found: dict[str, Any] = {
        "license": facts.licence.lower() if facts.licence in ("MIT", "Apache-2.0") else None,
        "library_name": "imagette",
        "pipeline_tag": "image-classification",
        "tags": ["image-classification", "onnx", "imagette", facts.model],
        "datasets": ["uoft-cs/cifar10"] if facts.dataset == "cifar10" else None,
        "metrics": ["accuracy", "f1"],
    }
    measured = facts.evaluation or {}
    if facts.accuracy is not None and measured:
        left_out = facts.accuracy_split == "leave-one-out"
        values = {
            "accuracy": (f"Accuracy{' (leave-one-out)' if left_out else ''}", measured["accuracy"]),
            "f1": ("Macro F1", _macro_f1(measured)),
            "brier_score": ("Brier score", measured.get("brier")),
            "expected_calibration_error": (
                "Expected calibration error", measured.get("calibration_error"),
            ),
        }  # fmt: skip
        metrics = [
            {"type": kind, "name": name, "value": value}
            for kind, (name, value) in values.items()
            if value is not None
        ]
        built_in = facts.dataset == "cifar10"
        learned_from = {
            "name": _dataset(facts),
            "type": "uoft-cs/cifar10" if built_in else "custom",
            "split": "train" if left_out else facts.accuracy_split,
        }
        task = {"type": "image-classification", "name": "Image classification"}
        result = {"task": task, "dataset": learned_from, "metrics": metrics}
        found["model-index"] = [{"name": _title(facts), "results": [result]}]
    return {key: value for key, value in found.items() if value is not None}


def _yaml(value: Any, before: str = "") -> list[str]:
    """Lines of YAML: its blocks are indented, its scalars are JSON's, which are YAML too."""
    if isinstance(value, dict):
        lines = []
        for key, one in value.items():
            if isinstance(one, dict | list):
                lines += [f"{before}{key}:", *_yaml(one, f"{before}  ")]
            else:
                lines.append(f"{before}{key}: {json.dumps(one)}")
        return lines
    lines = []
    for one in value:
        first, *rest = _yaml(one, f"{before}  ") if isinstance(one, dict) else [json.dumps(one)]
        lines += [f"{before}- {first.strip()}", *rest]
    return lines


def _macro_f1(measured: dict[str, Any]) -> float | None:
    """The mean of the F1 scores of all classes that were tested."""
    tested = [one["f1"] for one in measured.get("per_class", {}).values() if one["support"]]
    return round(sum(tested) / len(tested), 6) if tested else None


def _title(facts: ModelFacts) -> str:
    name = (facts.evaluation or {}).get("model") or facts.dataset or facts.model or "model"
    return Path(name).stem if name.endswith(".onnx") else name


def _dataset(facts: ModelFacts) -> str:
    return "CIFAR-10" if facts.dataset == "cifar10" else facts.dataset or ""


def _literal(words: str) -> str:
    """Words on one line that Markdown shows as they are: a class may be called anything."""
    return _MARKUP.sub(r"\\\1", " ".join(words.split()))


@cache
def _environment(language: Language) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=False,  # it is Markdown, and `_literal` escapes
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name, write in NUMBERS.items():
        environment.filters[name] = lambda value, *more, write=write: write(value, language, *more)
    environment.filters["listed"] = lambda names: listed(names, language)
    return environment
