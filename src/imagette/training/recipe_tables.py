"""The tables of a recipe, and its fields by dotted name, such as `optimizer.learning_rate`."""

import tomllib
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from imagette.errors import ImagetteError


class Table(BaseModel):
    """Values that are checked and never change; an unknown name is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class OptimizerConfig(Table):
    """How weights change; `imagette.training.optimizers` has what each name stands for.

    Attributes:
        name: `adam` (Kingma & Ba, 2015), `adamw` (Loshchilov & Hutter, 2019), `sgd` (with Nesterov
            momentum), or `muon` (Jordan et al., 2024; for hidden kernels, with SGD for all other
            weights).
        learning_rate: step size.
        bias_learning_rate: with `muon`, the step size of biases, for each picture of a batch.
        head_learning_rate: with `muon`, the step size of the last layer, likewise.
        layer_decay: with `adam`, `adamw` and `sgd`, the factor of the step size from each layer to
            the one before it, so that early layers, which know most of what all pictures share,
            change least (discriminative learning rates; Howard & Ruder, *Universal Language Model
            Fine-tuning for Text Classification*, 2018, section 3.2).
        momentum: of `sgd` and `muon`.
        weight_decay: of `adamw` and `sgd`.
    """

    name: Literal["adam", "adamw", "sgd", "muon"] = "adam"
    learning_rate: float = Field(default=1e-3, gt=0, allow_inf_nan=False)
    bias_learning_rate: float = Field(default=0.05, gt=0, allow_inf_nan=False)
    head_learning_rate: float = Field(default=1e-5, gt=0, allow_inf_nan=False)
    layer_decay: float = Field(default=1.0, gt=0, le=1)
    momentum: float = Field(default=0.9, gt=0, lt=1)
    weight_decay: float = Field(default=0.0, ge=0, allow_inf_nan=False)


class ScheduleConfig(Table):
    """How the learning rate changes over the training; see `imagette.training.schedules`.

    Attributes:
        name: the learning rate stays `constant`, or falls to 0 `linear` or as a `cosine`.
        warmup: share of the training in which the learning rate rises from 0.
    """

    name: Literal["constant", "linear", "cosine"] = "constant"
    warmup: float = Field(default=0.0, ge=0, lt=1)


class AugmentConfig(Table):
    """Data augmentation: how pictures are changed each time; see `imagette.training.augment`.

    Attributes:
        random_shift: shift pictures by up to this many pixels.
        flip: mirror pictures left to right: `none`, each at `random`, or `alternating` (all in
            every other epoch, half of them first; Jordan, 2024, arXiv:2404.00498, section 3.6).
        trivial_augment: change each picture by one random operation of random strength: contrast,
            brightness, colour, sharpness, posterize, solarize, equalize, rotate, shear, translate
            (Müller & Hutter, *TrivialAugment*, 2021).
        cutout: side in pixels of the grey square that covers a part of each picture; 0 for none.
        cutmix_prob: share of the batches in which each picture gets a rectangle of another one
            (Yun et al., *CutMix*, 2019, with alpha 1); 0 for none.
        no_aug_share: share of the training, at its end, whose pictures are shifted and mirrored
            but not changed otherwise, so that it ends on pictures as they will be.
    """

    random_shift: int = Field(default=0, ge=0, le=32)
    flip: Literal["none", "random", "alternating"] = "none"
    trivial_augment: bool = False
    cutout: int = Field(default=0, ge=0)
    cutmix_prob: float = Field(default=0.0, ge=0, le=1)
    no_aug_share: float = Field(default=0.0, ge=0, le=1)


class DistillationConfig(Table):
    """Learning from another network's answers beside the labels (Hinton et al., 2015).

    Attributes:
        teacher: folder of the run whose network answers; empty for none.
        alpha: share of what is learned that comes from the teacher.
        temperature: what both networks' logits are divided by when they are compared.
    """

    teacher: str = ""
    alpha: float = Field(default=0.9, gt=0, le=1)
    temperature: float = Field(default=2.0, gt=0, allow_inf_nan=False)


TABLES: dict[str, type[Table]] = {
    "optimizer": OptimizerConfig,
    "schedule": ScheduleConfig,
    "augment": AugmentConfig,
    "distillation": DistillationConfig,
}


def to_dotted(values: dict[str, Any]) -> dict[str, Any]:
    """The values of a recipe or of its table `gpu`, those of tables by dotted name."""
    dotted: dict[str, Any] = {}
    for name, value in values.items():
        if name in TABLES and isinstance(value, dict):
            dotted |= {f"{name}.{inner}": one for inner, one in value.items()}
        else:
            dotted[name] = value
    return dotted


def to_tables(dotted: dict[str, Any]) -> dict[str, Any]:
    """Values by dotted name as a tree of tables; of two that contradict, the later one counts."""
    tree: dict[str, Any] = {}
    for path, value in dotted.items():
        *tables, name = path.split(".")
        table = tree
        for each in tables:
            if not isinstance(table.get(each), dict):
                table[each] = {}
            table = table[each]
        table[name] = value
    return tree


def parse_settings(settings: list[str]) -> dict[str, Any]:
    """Read settings as the command line has them, `KEY=VALUE` each, for `Recipe.change`.

    A key may be dotted (`optimizer.learning_rate=0.1`). Values are read as TOML; a bare word is
    taken as text.

    Raises:
        ImagetteError: a setting is not of that form, or two contradict each other.
    """
    parsed = dict(_parse_setting(setting) for setting in settings)
    for key in parsed:
        if inner := next((other for other in parsed if other.startswith(f"{key}.")), None):
            raise ImagetteError(
                f"{key} is set as a whole and {inner} as a part of it.", "Set one of the two."
            )
    return to_tables(parsed)


def _parse_setting(setting: str) -> tuple[str, Any]:
    key, equals, value = (part.strip() for part in setting.partition("="))
    if not key or not equals or not value:
        raise ImagetteError(
            f"{setting!r} is not a setting.", "Write it as KEY=VALUE, such as --set epochs=3."
        )
    try:
        return key, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:  # a bare word, such as model=classic-cnn
        return key, value
