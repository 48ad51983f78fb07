"""What a bundle says of itself."""

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from imagette.images.views import ViewName

SplitName = Literal["train", "validation", "test"]

FORMAT_VERSION = 1
"""Raised when an older Imagette could no longer read a newer bundle rightly."""


JpegText = Annotated[str, Field(pattern="^[A-Za-z0-9+/]+={0,2}$", max_length=100_000)]
"""A JPEG file in base64."""


class ModelFacts(BaseModel):
    """What a bundle says of itself, without its pictures.

    Attributes:
        format_version: version of these conventions.
        class_names: English class names, in the order of the probabilities.
        class_names_fr: French class names, in the same order.
        imagette_version: version of the package that wrote it.
        model: name of the network in the registry, or of the file it came from.
        parameters: number of weights of the network, trained or not, without running statistics.
        dataset: name of the dataset it was trained on.
        counts: how many pictures of each class there were, in the order of the classes, by split:
            `train` (learned), `validation` (given, or held out) and `test`. Empty where unknown.
        recipe: every choice of its training.
        temperature: what the logits are divided by, so that probabilities are calibrated; fitted
            on pictures that the network did not learn from. None where that was not done.
        entropy_temperature: `factor` and `exponent` of the further temperature by which the graph
            divides each picture's logits, as they are more or less undecided (see
            `imagette.evaluation.calibration.entropy_temperatures`). None where it does not.
        accuracy: top-1 accuracy as a fraction, measured when the training ended.
        accuracy_split: what that was measured on: `test`, `validation` (pictures held out) or
            `leave-one-out` (each picture, by a head that has not learned it).
        familiarity_threshold: pictures of less `familiarity` than this look like none of the
            classes. None where the graph does not give it.
        familiarity_method: how that is computed, in a few words.
        view: what of a picture the network learned from, `whole` or `centre` (see
            `imagette.images.views.ViewName`); None where it is looked at several times.
        evaluation: what was measured when the training ended: the content of `metrics.json`, with
            the rows of `history.csv` as `history`.
        learned_pictures: the pictures it has learned, as `imagette.data.content.PictureSet` writes
            them, so that they are told from others; empty where they are not noted.
        licence: under what terms the file may be used.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    format_version: Annotated[int, Field(ge=1)] = FORMAT_VERSION
    class_names: tuple[Annotated[str, Field(min_length=1)], ...] = Field(min_length=2)
    class_names_fr: tuple[Annotated[str, Field(min_length=1)], ...]
    imagette_version: str = ""
    model: str = ""
    parameters: int | None = None
    dataset: str | None = None
    counts: dict[SplitName, tuple[Annotated[int, Field(ge=0)], ...]] = {}
    recipe: dict[str, Any] | None = None
    temperature: Annotated[float, Field(gt=0)] | None = None
    entropy_temperature: tuple[float, float] | None = None
    accuracy: Annotated[float, Field(ge=0, le=1)] | None = None
    accuracy_split: str | None = None
    familiarity_threshold: Annotated[float, Field(ge=0, le=1)] | None = None
    familiarity_method: str = ""
    view: ViewName | None = None
    evaluation: dict[str, Any] | None = None
    learned_pictures: str = ""
    licence: str = ""

    @model_validator(mode="after")
    def _names_fit(self) -> "ModelFacts":
        if len(self.class_names_fr) != len(self.class_names):
            raise ValueError("there are not as many French names as English ones")
        if len(set(self.class_names)) != len(self.class_names):
            raise ValueError("two classes have the same name")
        if any(len(counts) != len(self.class_names) for counts in self.counts.values()):
            raise ValueError("there are not as many counts as classes")
        return self

    @property
    def pretraining(self) -> str | None:
        """What the weights that it began with knew, `ImageNet`; None where it began with none, or
        that is not known."""
        began = (self.recipe or {}).get("init_from") == "imagenet" or "ImageNet" in self.licence
        return "ImageNet" if began else None


class BundleMetadata(ModelFacts):
    """What a bundle says of itself; every field is one JSON value in the ONNX metadata.

    Attributes:
        sample_split: where `samples` are from: `test`, `validation` or, where the network has
            learned every picture, `train`; empty without any.
        samples: a few pictures of each class, small, as JPEG files in base64; empty where the
            bundle carries none.
    """

    sample_split: SplitName | Literal[""] = ""
    samples: tuple[tuple[JpegText, ...], ...] = ()

    @model_validator(mode="after")
    def _samples_fit(self) -> "BundleMetadata":
        if self.samples and (not self.sample_split or len(self.samples) != len(self.class_names)):
            raise ValueError("there are not as many lists of samples as classes")
        return self

    def to_properties(self) -> dict[str, str]:
        """The metadata as ONNX stores it: text by key."""
        return {key: json.dumps(value) for key, value in self.model_dump(mode="json").items()}
