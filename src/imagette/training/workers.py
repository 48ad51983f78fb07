"""Where the work of a training is done that can be shared: here, by this process."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    """Does it in this process; `imagette.cluster` has one that lets many machines do it.

    Attributes:
        machines: how many times this one's cores they are.
    """

    machines = 1.0

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
