"""Paths that hold in other folders too, such as those in which workers on other machines run."""

from pathlib import Path

from imagette.models.applications import IMAGENET
from imagette.training.recipe import Recipe


def absolute_recipe(recipe: Recipe) -> Recipe:
    """The same recipe, the paths of its start and of its teacher absolute."""
    start, teacher = recipe.init_from, recipe.distillation.teacher
    changes: dict[str, object] = {}
    if start and start != IMAGENET:
        changes["init_from"] = str(Path(start).resolve())
    if teacher:
        changes["distillation"] = {"teacher": str(Path(teacher).resolve())}
    return recipe.change(**changes) if changes else recipe
