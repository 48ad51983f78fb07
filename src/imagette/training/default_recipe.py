"""Which recipe suits somebody's own pictures, where none was named."""

from statistics import median
from typing import Any

from imagette.data import DataSource
from imagette.errors import ImageError
from imagette.images.open_image import read_size
from imagette.training.recipe import DEFAULT, Recipe

SMALL = 48
"""Pictures whose shorter side has no more pixels than this are small."""
MANY = 20_000
"""With more small pictures than this a network learns better from nothing."""
PHOTOS = "photos"
_LOOKED_AT = 50


def choose_recipe(found: DataSource) -> tuple[Recipe, str]:
    """The recipe for somebody's pictures, with why, in a sentence.

    A head on the features of ImageNet's weights is fitted in seconds; up to some 20,000 pictures it
    is also the more accurate way. Many small pictures are learned better from nothing.
    """
    width, height = typical_size(found)
    images = len(found.raw_train.images)
    if min(width, height) <= SMALL and images > MANY:
        name = DEFAULT
        why = (
            f"{images:,} pictures of {width}×{height} pixels are enough to train a network from"
            " scratch"
        )
    else:
        name = PHOTOS
        why = (
            "a network already trained on ImageNet's photographs is used, and only its last layer"
            " is fitted to your pictures"
        )
    return Recipe.load(name), f"Recipe {name}: {why}. Choose another with --recipe."


def typical_size(found: DataSource) -> tuple[int, int]:
    """Median width and height in pixels of some pictures to learn from."""
    if found.decoded:
        height, width = found.decoded.train.images.shape[1:3]
        return width, height
    sizes = []
    images: Any = found.raw_train.images
    for image in images[:: max(1, len(images) // _LOOKED_AT)]:
        try:
            sizes.append(read_size(image() if callable(image) else image))
        except (ImageError, OSError):
            continue  # it is told when it is to be learned
    if not sizes:
        return 0, 0
    widths, heights = zip(*sizes, strict=True)
    return int(median(widths)), int(median(heights))


def warn_of_size(found: DataSource, recipe: Recipe) -> list[str]:
    """Where a recipe sees far less of the pictures than there is, a sentence that says so."""
    width, height = typical_size(found)
    if min(width, height) < 2 * recipe.image_size:
        return []
    return [
        f"Made smaller: your pictures have about {width}×{height} pixels, the recipe {recipe.name}"
        f" learns from {recipe.image_size}×{recipe.image_size}, the recipe {PHOTOS} from 224×224."
    ]
