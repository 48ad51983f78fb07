"""The parts of a training that workers can share; here one process does them all."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from imagette.data.dataset import Split
from imagette.data.decode import Source
from imagette.features.backbone import Backbone
from imagette.features.compute import Features, compute_features
from imagette.images.views import ViewName
from imagette.training.recipe import Recipe

if TYPE_CHECKING:
    import keras

    from imagette.training.state import EpochProgress, State


class Workers:
    """Does all in this process; `imagette.cluster.workers.ClusterWorkers` uses a Ray cluster.

    Attributes:
        machines: the workers' cores divided by those of this machine, to estimate durations.
    """

    machines = 1.0

    @property
    def device_type(self) -> Literal["cpu", "cuda"]:
        """What a training by epochs runs on."""
        from imagette.training.hardware import choose_device

        return "cuda" if choose_device().type == "cuda" else "cpu"

    def compute_features(
        self, sources: Sequence[Source], backbone: Backbone, view: ViewName
    ) -> Features:
        """As `imagette.features.compute.compute_features`."""
        return compute_features(sources, backbone, view)

    def spread(self, function: Callable[..., Any], *items: Iterable[Any]) -> Iterable[Any]:
        """As `map`."""
        return map(function, *items)

    def train_epochs(
        self,
        folder: Path,
        model: "keras.Model",
        train: Split,
        validation: Split,
        recipe: Recipe,
        state: "State",
        on_progress: "Callable[[EpochProgress], None]",
        on_eta: Callable[[float], None],
        teacher: "keras.Model | None",
    ) -> "Iterator[State]":
        """As `imagette.training.trainer.train_epochs`; `folder` is the run's."""
        from imagette.training.trainer import train_epochs

        return train_epochs(model, train, validation, recipe, state, on_progress, on_eta, teacher)
