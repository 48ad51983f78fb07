"""A recipe: every choice of a training, in one file."""

import math
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from imagette.errors import ImagetteError
from imagette.files import write_text

DEFAULT = "sprint-90"
"""Minutes on a CPU, and the accuracy that most people are after."""
PRESETS = Path(__file__).parent.parent / "recipes"


Option = bool | int | float | str | list[int]
"""What a network's own argument may be: what TOML can write."""

NOT_ON_A_GPU = {
    "name", "model", "model_options", "size", "inference_size", "start", "teacher",
    "validation_fraction", "seed", "gpu",
}  # fmt: skip
"""What decides which network learns from which pictures is the same everywhere."""


_OF_CLOSED_FORM = {"name", "model", "model_options", "size", "start", "seed"}
"""What a recipe without epochs asks for; all else is about learning by steps."""


class Recipe(BaseModel):
    """Every choice of a training.

    Attributes:
        name: what to call it; names the run folder where the user does not.
        model: a network of the registry (see `imagette.models`).
        model_options: the network's own arguments, such as `widths` of `sprint`.
        size: side in pixels that pictures are brought to before anything else.
        inference_size: side in pixels of the pictures that the finished network is calibrated on,
            measured on and asked about, where that is not `size`; 0 for `size`. Things look larger
            while learning than when asked, which a larger side makes good (Touvron et al., *Fixing
            the train-test resolution discrepancy*, 2019).
        start: what the network begins with instead of random weights: the folder of a run; for
            `efficientnet-lite` and networks of `keras.applications`, `imagenet`; for these also a
            file of weights. Empty for none. See `imagette.training.transfer`.
        pretrained_share: with `start`, the share (0–1) of the starting weights, with the fitted
            last layer, in the weights that are kept; the rest are the trained ones, which alone are
            measured after each epoch. Such an average recognises pictures unlike those that were
            learned better than the trained weights do (weight-space ensembling; Wortsman et al.,
            *Robust fine-tuning of zero-shot models*, 2022).
        optimizer: `adam` (Kingma & Ba, 2015), `adamw` (Loshchilov & Hutter, 2019), `sgd` (with
            Nesterov momentum), or `muon` (Jordan et al., 2024; for hidden kernels, with SGD for
            all other weights).
        learning_rate: step size of the optimizer.
        bias_learning_rate: with `muon`, the step size of biases, for each picture of a batch.
        head_learning_rate: with `muon`, the step size of the last layer, likewise.
        layer_decay: with `adam`, `adamw` and `sgd`, the factor of the step size from each layer to
            the one before it, so that early layers, which know most of what all pictures share,
            change least (discriminative learning rates; Howard & Ruder, *Universal Language Model
            Fine-tuning for Text Classification*, 2018, section 3.2).
        momentum: of `sgd` and `muon`.
        weight_decay: of `adamw` and `sgd`.
        schedule: the learning rate stays `constant`, or falls to 0 `linear` or as a `cosine`.
        warmup: share of the training in which the learning rate rises from 0.
        batch_size: pictures a step.
        epochs: how many, at most; the last one may be a part. With 0, `efficientnet-lite` with
            ImageNet's weights learns a last layer in closed form (`imagette.heads`).
        passes: passes over the pictures that make an epoch; `min_steps` comes to more of them.
        min_steps: where there are few pictures, an epoch makes more passes, so that the whole
            training has this many steps.
        label_smoothing: share of each label that is spread over all classes.
        ema: decay, a step, of the running average of the weights that is measured and saved
            in their place; 0 takes the weights as they are.
        flip: mirror pictures left to right: `none`, each at `random`, or `alternating` (all in
            every other epoch, half of them first; Jordan, 2024, arXiv:2404.00498, section 3.6).
        translate: shift pictures by up to this many pixels.
        operations: random changes made to each picture, of random strength: contrast, brightness,
            colour, sharpness, posterize, solarize, equalize, rotate, shear, translate (Müller &
            Hutter, *TrivialAugment*, 2021, with 1; like RandAugment with more).
        cutout: side in pixels of the grey square that covers a part of each picture; 0 for none.
        mixup: alpha of mixup; 0 for none. Where CutMix is given too, each batch draws one.
        cutmix: alpha of CutMix; 0 for none.
        mix_share: share of the batches that mixup and CutMix blend.
        calm_share: share of the training, at its end, whose pictures are shifted and mirrored
            but not changed otherwise, so that it ends on pictures as they will be.
        teacher: folder of a run whose network's answers are learned beside the labels
            (distillation); empty for none.
        teacher_share: share of what is learned that comes from the teacher.
        teacher_temperature: what both networks' logits are divided by when they are compared.
        small_side: side in pixels of the smaller pictures that the training begins with.
        small_share: share of the training that sees those.
        precision: what activations are computed in: `auto` takes bfloat16 where the hardware
            multiplies it, otherwise float32.
        patience: stop after this many epochs in a row without a lower validation loss, and keep
            the best of them; 0 never stops early and keeps the last.
        validation_fraction: share of the train split held out for validation, stratified.
        seed: every random choice flows from it.
        gpu: fields that take other values on a GPU, unless they are asked for by name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: str = Field(min_length=1)
    model: str
    model_options: dict[str, Option] = {}
    size: int = Field(default=32, ge=32, le=260)
    inference_size: int = Field(default=0, ge=0, le=260)
    start: str = ""
    pretrained_share: float = Field(default=0.0, ge=0, lt=1)
    optimizer: Literal["adam", "adamw", "sgd", "muon"] = "adam"
    learning_rate: float = Field(default=1e-3, gt=0, allow_inf_nan=False)
    bias_learning_rate: float = Field(default=0.05, gt=0, allow_inf_nan=False)
    head_learning_rate: float = Field(default=1e-5, gt=0, allow_inf_nan=False)
    layer_decay: float = Field(default=1.0, gt=0, le=1)
    momentum: float = Field(default=0.9, gt=0, lt=1)
    weight_decay: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    warmup: float = Field(default=0.0, ge=0, lt=1)
    batch_size: int = Field(default=32, ge=1)
    epochs: float = Field(ge=0, allow_inf_nan=False)
    passes: int = Field(default=1, ge=1)
    min_steps: int = Field(default=0, ge=0)
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    ema: float = Field(default=0.0, ge=0, lt=1)
    flip: Literal["none", "random", "alternating"] = "none"
    translate: int = Field(default=0, ge=0, le=32)
    operations: int = Field(default=0, ge=0, le=10)
    cutout: int = Field(default=0, ge=0)
    mixup: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    cutmix: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    mix_share: float = Field(default=1.0, ge=0, le=1)
    calm_share: float = Field(default=0.0, ge=0, le=1)
    teacher: str = ""
    teacher_share: float = Field(default=0.9, gt=0, le=1)
    teacher_temperature: float = Field(default=2.0, gt=0, allow_inf_nan=False)
    small_side: int = Field(default=0, ge=0)
    small_share: float = Field(default=0.0, ge=0, le=1)
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    patience: int = Field(default=0, ge=0)
    validation_fraction: float = Field(default=0.1, gt=0, lt=1)
    seed: int = Field(default=0, ge=0, lt=2**32)
    gpu: dict[str, Any] = {}

    def resolve(self, device: str, pictures: int) -> "Recipe":
        """What the recipe comes to: `gpu` and `min_steps` have gone into the other fields.

        Args:
            device: `cpu` or `cuda`.
            pictures: how many there are to learn from.
        """
        if self.closed_form:
            return self
        here = self.model_dump() | (self.gpu if device == "cuda" else {}) | {"gpu": {}}
        batches = math.ceil(pictures / here["batch_size"])
        # Batches are of equal size, so none is as large where the last would be a small rest.
        here["batch_size"] = math.ceil(pictures / batches)
        steps = here["epochs"] * here["passes"] * batches
        here["passes"] *= max(1, math.ceil(here["min_steps"] / steps - 1e-9))
        return self._validated(here | {"min_steps": 0}, "The recipe for this machine")

    @model_validator(mode="after")
    def _small_pictures_have_a_side(self) -> "Recipe":
        if self.small_share and not self.small_side:
            raise ValueError("small_share needs small_side, the side of the smaller pictures")
        if self.small_share and self.small_side > self.size:
            raise ValueError(f"small_side is larger than size, which is {self.size}")
        return self

    @model_validator(mode="after")
    def _inference_size_is_a_size(self) -> "Recipe":
        if 0 < self.inference_size < 32:
            raise ValueError("inference_size is 0 or at least 32")
        return self

    @model_validator(mode="after")
    def _pretrained_weights_are_there(self) -> "Recipe":
        if self.pretrained_share and not self.start:
            raise ValueError("pretrained_share needs start, which names the pretrained weights")
        return self

    @model_validator(mode="after")
    def _something_learns(self) -> "Recipe":
        lite = self.model == "efficientnet-lite"
        if lite and self.model_options.get("variant", 0) not in (0, 1, 2):
            raise ValueError("the variants of efficientnet-lite are 0, 1 and 2")
        known = lite and self.start == "imagenet"
        if self.closed_form and not known:
            raise ValueError(
                'epochs = 0 learns a last layer alone, which needs model = "efficientnet-lite" and'
                ' start = "imagenet"'
            )
        return self

    @property
    def asked_at(self) -> int:
        """The side in pixels of the pictures that the finished network takes."""
        return self.inference_size or self.size

    @property
    def closed_form(self) -> bool:
        """Whether only a last layer is learned, in closed form."""
        return self.epochs == 0

    @property
    def variant(self) -> int:
        """Of `efficientnet-lite`."""
        return int(self.model_options.get("variant", 0))  # type: ignore[arg-type]

    @model_validator(mode="after")
    def _gpu_fits(self) -> "Recipe":
        if self.gpu:
            if fixed := NOT_ON_A_GPU & set(self.gpu):
                raise ValueError(f"`gpu` cannot change `{min(fixed)}`")
            values = self.model_dump() | self.gpu | {"gpu": {}}
            self._validated(values, "The recipe's table `gpu`")
        return self

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
                f"{origin} is not valid TOML: {error}.", "Mend that line and try again."
            ) from error

    def change(self, **changes: Any) -> "Recipe":
        """The same recipe with some fields changed: `recipe.change(epochs=3)`.

        What is asked for holds on a GPU too, and epochs that are asked for are not stretched:
        with them, `min_steps` becomes 0.

        Raises:
            ImagetteError: there is no such field, a value is wrong, or a recipe without epochs is
                to have some.
        """
        others = type(self).model_fields.keys() - _OF_CLOSED_FORM
        unused = [one for one in changes if one in others and changes[one] != getattr(self, one)]
        if self.closed_form and unused:
            raise ImagetteError(
                f"The recipe {self.name} fits a last layer in closed form, which leaves nothing for"
                f" `{unused[0]}` to change.",
                f"Leave `{unused[0]}` out, or let all layers learn: --recipe finetune.",
            )
        unchanged = {key: value for key, value in self.gpu.items() if key not in changes}
        changes = {"gpu": unchanged} | ({"min_steps": 0} if "epochs" in changes else {}) | changes
        return self._validated(self.model_dump() | changes, "The recipe with these settings")

    def save(self, path: Path) -> None:
        """Write the recipe as TOML."""
        import tomli_w

        write_text(path, tomli_w.dumps(self.to_dict()))

    def to_dict(self) -> dict[str, Any]:
        """The choices that matter: all or, where there are no epochs, those that are not defaults.

        Nothing is held out there, for example, whatever `validation_fraction` is.
        """
        return self.model_dump(exclude_defaults=self.closed_form)

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
                "value_error": first["msg"].removeprefix("Value error, "),  # from a check above
            }.get(first["type"], f"`{field}` = {first['input']!r}: {first['msg'].lower()}")
            raise ImagetteError(
                f"{origin} cannot be used: {wrong}.",
                f"The fields are: {', '.join(cls.model_fields)}.",
            ) from error


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


def parse_settings(settings: list[str]) -> dict[str, Any]:
    """Read settings as the command line has them, `KEY=VALUE` each; values are read as TOML.

    Raises:
        ImagetteError: a setting is not of that form.
    """
    return dict(_parse_setting(setting) for setting in settings)


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
