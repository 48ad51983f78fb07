"""A recipe: every choice of a training, that is all its hyperparameters, in one file."""

import math
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from imagette.errors import ImagetteError
from imagette.files import write_text
from imagette.training.recipe_tables import (
    TABLES,
    AugmentConfig,
    DistillationConfig,
    OptimizerConfig,
    ScheduleConfig,
    Table,
    to_dotted,
    to_tables,
)

DEFAULT = "sprint-90"
"""Minutes on a CPU, and the accuracy that most people are after."""
PRESETS = Path(__file__).parent.parent / "recipes"

Option = bool | int | float | str | list[int]
"""What a network's own argument may be: what TOML can write."""

NOT_ON_A_GPU = {
    "name", "model", "model_options", "image_size", "inference_size", "init_from",
    "distillation.teacher", "validation_fraction", "seed", "gpu",
}  # fmt: skip
"""What decides which network learns from which pictures is the same everywhere."""

_OF_CLOSED_FORM = {"name", "model", "model_options", "image_size", "init_from", "seed"}
"""What a recipe without epochs asks for; all else is about learning by steps."""


class Recipe(Table):
    """Every choice of a training.

    Attributes:
        name: what to call it; names the run folder where the user does not.
        model: a network of the registry (see `imagette.models`).
        model_options: the network's own arguments, such as `widths` of `sprint`.
        image_size: side in pixels that pictures are brought to before anything else.
        inference_size: side in pixels of the pictures that the finished network is calibrated on,
            measured on and asked about, where that is not `image_size`; 0 for `image_size`. Things
            look larger while learning than when asked, which a larger side makes good (Touvron et
            al., *Fixing the train-test resolution discrepancy*, 2019).
        init_from: what the network begins with instead of random weights: the folder of a run; for
            `efficientnet-lite` and networks of `keras.applications`, `imagenet`; for these also a
            file of weights. Empty for none. See `imagette.training.transfer`.
        pretrained_share: with `init_from`, the share (0–1) of those weights, with the fitted
            last layer, in the weights that are kept; the rest are the trained ones, which alone are
            measured after each epoch. Such an average recognises pictures unlike those that were
            learned better than the trained weights do (weight-space ensembling; Wortsman et al.,
            *Robust fine-tuning of zero-shot models*, 2022).
        batch_size: pictures a step.
        epochs: how many, at most; the last one may be a part. With 0, `efficientnet-lite` with
            ImageNet's weights learns a last layer in closed form (`imagette.heads`).
        epoch_repeats: passes over the pictures that make an epoch; `min_steps` comes to more.
        min_steps: where there are few pictures, an epoch makes more passes, so that the whole
            training has this many steps.
        label_smoothing: share of each label that is spread over all classes.
        progressive_size: side in pixels of the smaller pictures that the training begins with
            (progressive resizing).
        progressive_share: share of the training that sees those.
        precision: what activations are computed in: `auto` takes bfloat16 where the hardware
            multiplies it, otherwise float32.
        patience: stop after this many epochs in a row without a lower validation loss, and keep
            the best of them (early stopping, against overfitting); 0 never stops early and keeps
            the last.
        validation_fraction: share of the train split held out for validation, stratified.
        seed: every random choice flows from it.
        optimizer: how weights change.
        schedule: how the learning rate changes.
        augment: how pictures are changed each time they are learned.
        distillation: learning from another network's answers.
        gpu: fields that take other values on a GPU, unless they are asked for by name.
    """

    name: str = Field(min_length=1)
    model: str
    model_options: dict[str, Option] = Field(default={})
    image_size: int = Field(default=32, ge=32, le=260)
    inference_size: int = Field(default=0, ge=0, le=260)
    init_from: str = ""
    pretrained_share: float = Field(default=0.0, ge=0, lt=1)
    batch_size: int = Field(default=32, ge=1)
    epochs: float = Field(ge=0, allow_inf_nan=False)
    epoch_repeats: int = Field(default=1, ge=1)
    min_steps: int = Field(default=0, ge=0)
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    progressive_size: int = Field(default=0, ge=0)
    progressive_share: float = Field(default=0.0, ge=0, le=1)
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    patience: int = Field(default=0, ge=0)
    validation_fraction: float = Field(default=0.1, gt=0, lt=1)
    seed: int = Field(default=0, ge=0, lt=2**32)
    optimizer: OptimizerConfig = OptimizerConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    augment: AugmentConfig = AugmentConfig()
    distillation: DistillationConfig = DistillationConfig()
    gpu: dict[str, Any] = Field(default={})

    @model_validator(mode="after")
    def _fields_fit_together(self) -> "Recipe":
        if self.progressive_share and not self.progressive_size:
            raise ValueError(
                "progressive_share needs progressive_size, the side of the smaller pictures"
            )
        if self.progressive_share and self.progressive_size > self.image_size:
            raise ValueError(
                f"progressive_size is larger than image_size, which is {self.image_size}"
            )
        if 0 < self.inference_size < 32:
            raise ValueError("inference_size is 0 or at least 32")
        if self.pretrained_share and not self.init_from:
            raise ValueError("pretrained_share needs init_from, which names the pretrained weights")
        lite = self.model == "efficientnet-lite"
        if lite and self.model_options.get("variant", 0) not in (0, 1, 2):
            raise ValueError("the variants of efficientnet-lite are 0, 1 and 2")
        if self.closed_form and not (lite and self.init_from == "imagenet"):
            raise ValueError(
                'epochs = 0 learns a last layer alone, which needs model = "efficientnet-lite" and'
                ' init_from = "imagenet"'
            )
        return self

    @model_validator(mode="after")
    def _gpu_fits(self) -> "Recipe":
        if self.gpu:
            overrides = to_dotted(self.gpu)
            if fixed := NOT_ON_A_GPU & set(overrides):
                raise ValueError(f"`gpu` cannot change `{min(fixed)}`")
            values = to_dotted(self.model_dump()) | overrides | {"gpu": {}}
            self._validated(to_tables(values), "The recipe's table `gpu`")
        return self

    @property
    def final_image_size(self) -> int:
        """The side in pixels of the pictures that the finished network takes."""
        return self.inference_size or self.image_size

    @property
    def closed_form(self) -> bool:
        """Whether only a last layer is learned, in closed form."""
        return self.epochs == 0

    @property
    def variant(self) -> int:
        """Of `efficientnet-lite`."""
        return int(self.model_options.get("variant", 0))  # type: ignore[arg-type]

    @classmethod
    def load(cls, name_or_file: str | Path = DEFAULT) -> "Recipe":
        """Load a preset by name, or any TOML file by path.

        Raises:
            ImagetteError: there is no such recipe, or its contents are wrong.
        """
        text, origin = _read(name_or_file)
        try:
            return cls._validated(tomllib.loads(text), origin)
        except tomllib.TOMLDecodeError as error:
            raise ImagetteError(
                f"{origin} is not valid TOML: {error}.", "Correct that line and try again."
            ) from error

    def change(self, **changes: Any) -> "Recipe":
        """The same recipe with some fields changed.

        Of a table only the named fields change, in `gpu` too:
        `recipe.change(epochs=3, optimizer={"learning_rate": 0.1})`. `model_options` are replaced.

        What is asked for holds on a GPU too, and epochs that are asked for are not stretched:
        with them, `min_steps` becomes 0.

        Raises:
            ImagetteError: there is no such field, a value is wrong, or a recipe without epochs is
                to have some.
        """
        mine, asked = to_dotted(self.model_dump()), to_dotted(changes)
        if self.closed_form:
            self._refuse_unused(mine, asked)
        gpu = asked.get("gpu", {})
        if isinstance(gpu, dict):  # otherwise the validation says so
            unchanged = {
                key: value for key, value in to_dotted(self.gpu).items() if key not in asked
            }
            gpu = to_tables(unchanged | to_dotted(gpu))
        literal = {"min_steps": 0} if "epochs" in asked else {}
        values = to_tables(mine | literal | asked | {"gpu": gpu})
        changed = self._validated(values, "The recipe with these settings")
        if changed.closed_form:
            without_epochs = {name: value for name, value in asked.items() if name != "epochs"}
            changed._refuse_unused(mine, without_epochs)
        return changed

    def _refuse_unused(self, mine: dict[str, Any], asked: dict[str, Any]) -> None:
        for name in asked:
            used = name in _OF_CLOSED_FORM or name not in mine
            if not used and asked[name] != mine[name]:
                raise ImagetteError(
                    f"The recipe {self.name} fits a last layer in closed form, which leaves nothing"
                    f" for `{name}` to change.",
                    f"Leave `{name}` out, or let all layers learn: --recipe finetune.",
                )

    def resolve(self, device: str, images: int) -> "Recipe":
        """What the recipe comes to on a device, `cpu` or `cuda`, with so many images to learn from.

        `gpu` and `min_steps` have gone into the other fields.
        """
        if self.closed_form:
            return self
        here = to_dotted(self.model_dump()) | (to_dotted(self.gpu) if device == "cuda" else {})
        batches = math.ceil(images / here["batch_size"])
        # Batches are of equal size, so none is as large where the last would be a small rest.
        here["batch_size"] = math.ceil(images / batches)
        steps = here["epochs"] * here["epoch_repeats"] * batches
        here["epoch_repeats"] *= max(1, math.ceil(here["min_steps"] / steps - 1e-9))
        here |= {"min_steps": 0, "gpu": {}}
        return self._validated(to_tables(here), "The recipe for this machine")

    def save(self, path: Path) -> None:
        """Write the recipe as TOML."""
        import tomli_w

        write_text(path, tomli_w.dumps(self.to_dict()))

    def to_dict(self) -> dict[str, Any]:
        """The choices that matter: all or, where there are no epochs, those that are not defaults.

        Nothing is held out there, for example, whatever `validation_fraction` is.
        """
        return self.model_dump(exclude_defaults=self.closed_form)

    def to_metadata(self) -> dict[str, Any]:
        """As `to_dict`, for a bundle: folders of other runs are of no use there, so names alone."""
        values = to_dotted(self.to_dict())
        for field in {"init_from", "distillation.teacher"} & set(values):
            values[field] = Path(values[field]).name
        return to_tables(values)

    @classmethod
    def _validated(cls, values: dict[str, Any], origin: str) -> "Recipe":
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"])
            wrong = {
                "extra_forbidden": f"there is no field `{field}`",
                "missing": f"the field `{field}` is missing",
                "model_type": f"`{field}` is a table, so set a field of it, such as"
                f" `{next((name for name in FIELDS if name.startswith(f'{field}.')), field)}`",
                "value_error": first["msg"].removeprefix("Value error, "),  # from a check above
            }.get(first["type"], f"`{field}` = {first['input']!r}: {first['msg'].lower()}")
            raise ImagetteError(
                f"{origin} cannot be used: {wrong}.", f"The fields are: {', '.join(FIELDS)}."
            ) from error


FIELDS = [
    f"{name}.{inner}" if inner else name
    for name in Recipe.model_fields
    for inner in (TABLES[name].model_fields if name in TABLES else [""])
]
"""Every field of a recipe, those of its tables by dotted name."""


def presets() -> list[str]:
    """Names of the recipes that come with the package."""
    return sorted(file.stem for file in PRESETS.glob("*.toml"))


def _read(name_or_file: str | Path) -> tuple[str, str]:
    """The text of a recipe and what to call it in an error."""
    if str(name_or_file) in presets():
        preset = PRESETS / f"{name_or_file}.toml"
        return preset.read_text(encoding="utf-8"), f"The recipe {name_or_file}"
    try:
        # Some editors on Windows begin a file with a byte order mark.
        return Path(name_or_file).read_text(encoding="utf-8-sig"), str(name_or_file)
    except UnicodeDecodeError as error:
        raise ImagetteError(
            f"{name_or_file} is not text in UTF-8.", "Save it again as UTF-8."
        ) from error
    except OSError as error:
        raise ImagetteError(
            f"There is no recipe {name_or_file}.",
            f"Choose one of: {', '.join(presets())}; or give the path of a TOML file.",
        ) from error
