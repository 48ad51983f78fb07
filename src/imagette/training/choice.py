"""Which recipe suits somebody's own pictures, where none was named."""

from imagette.data.cache import keras_folder
from imagette.training.hardware import choose_device
from imagette.training.recipe import DEFAULT, Recipe

FEW = 100
SOME = 5_000
"""Below these, a larger share is held out: an accuracy of ten pictures says nothing."""
FINETUNE_FROM = 1_000
"""With so many pictures all layers may change more without forgetting what they know."""
TRANSFER_UP_TO = 20_000
"""With more pictures than this a network learns as well from nothing."""

_WEIGHTS = "efficientnetv2-b0_notop.h5"


def choose_recipe(pictures: int) -> tuple[Recipe, str]:
    """The recipe for so many pictures to learn from, with why, in a sentence.

    Few pictures are learned by a network that knows others already: by one that learned from
    ImageNet, where there is a GPU (on a CPU it takes minutes) and its weights are on this
    machine; otherwise by the model that ships with Imagette. Many teach a network of their own.
    """
    fraction = 0.3 if pictures < FEW else 0.2 if pictures < SOME else 0.1
    if pictures > TRANSFER_UP_TO:
        name, why = DEFAULT, f"{pictures:,} pictures are enough to learn from nothing"
    elif choose_device().type == "cuda" and (keras_folder() / "models" / _WEIGHTS).is_file():
        name, why = "imagenet", "the weights of ImageNet and a GPU are on this machine"
    else:
        name = "transfer" if pictures < FINETUNE_FROM else "finetune"
        why = f"{pictures:,} pictures are learned best by a network that knows others already"
    recipe = Recipe.load(name).change(validation_fraction=fraction)
    return recipe, f"Recipe {name}: {why}. Choose another with --recipe."
