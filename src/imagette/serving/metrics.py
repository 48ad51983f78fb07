"""What the server counts and times, for Prometheus.

With several worker processes each writes into files of one folder, which the environment
variable `PROMETHEUS_MULTIPROC_DIR` names before the first is started; whichever worker is asked
adds all of them up, those of workers that have died too.
"""

import os
from contextlib import AbstractContextManager
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Gauge

    from imagette.inference.classifier import Prediction

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"

_REQUEST_BUCKETS = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0
)  # fmt: skip
_INFERENCE_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_KNOWN = {True: "yes", False: "no", None: "untold"}
_METHODS = frozenset(("GET", "HEAD", "POST", "DELETE", "OPTIONS"))


class Metrics:
    """The counters and histograms of one worker."""

    def __init__(self) -> None:
        # Imported here because the package decides while it is imported whether it writes into
        # files, and the folder is made after this module is imported.
        from prometheus_client import CollectorRegistry, Counter, Histogram

        self._registry = CollectorRegistry()
        counter = partial(Counter, registry=self._registry)
        histogram = partial(Histogram, registry=self._registry)
        self._requests = counter(
            "imagette_requests", "Requests that were answered.", ("method", "route", "status")
        )
        self._problems = counter(
            "imagette_problems",
            "Errors by kind, those of single pictures among several too.",
            ("kind",),
        )
        self._request_seconds = histogram(
            "imagette_request_seconds",
            "From a request's head to its answer, in seconds.",
            ("route",),
            buckets=_REQUEST_BUCKETS,
        )
        self._inference_seconds = histogram(
            "imagette_inference_seconds",
            "Reading a picture, when its turn has come, and asking the network, in seconds.",
            buckets=_INFERENCE_BUCKETS,
        )
        self._predictions = counter(
            "imagette_predictions",
            "Pictures that were answered, by class, and by whether they look like any of them.",
            ("class", "known"),
        )
        self._swaps = counter(
            "imagette_model_swaps", "Times that the model's file was loaded anew.", ("outcome",)
        )
        self._in_flight, self._waiting = _gauges(self._registry)
        # There from the start, at zero: Prometheus sees no increase in a first value.
        for outcome in ("done", "failed"):
            self._swaps.labels(outcome)
        self._problems.labels("overloaded")
        # Finding the counter of some labels takes longer than counting.
        self._of_request = cache(self._requests.labels)
        self._of_route = cache(self._request_seconds.labels)
        self._of_class = cache(self._predictions.labels)

    def count_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request that was answered; `route` is empty where there is nothing."""
        method = method if method in _METHODS else "other"
        self._of_request(method, route, status).inc()
        self._of_route(route).observe(seconds)

    def in_flight(self) -> AbstractContextManager[None]:
        """What each request is answered within."""
        return self._in_flight.track_inprogress()

    def waiting(self) -> AbstractContextManager[None]:
        """What each wait for a turn is within."""
        return self._waiting.track_inprogress()

    def count_problem(self, kind: str) -> None:
        """Count an error."""
        self._problems.labels(kind).inc()

    def count_prediction(self, prediction: "Prediction", seconds: float) -> None:
        """Count a picture that was answered."""
        self._of_class(prediction.label, _KNOWN[prediction.known]).inc()
        self._inference_seconds.observe(seconds)

    def count_swap(self, outcome: str) -> None:
        """Count a model that was loaded anew (`done`), or could not be (`failed`)."""
        self._swaps.labels(outcome).inc()

    def render(self) -> bytes:
        """Everything, of all workers, as Prometheus reads it."""
        from prometheus_client import CollectorRegistry, generate_latest
        from prometheus_client.multiprocess import MultiProcessCollector

        if not os.environ.get(FOLDER_VARIABLE):
            return generate_latest(self._registry)
        registry = CollectorRegistry()
        MultiProcessCollector(registry)
        return generate_latest(registry)


def _gauges(registry: "CollectorRegistry") -> tuple["Gauge", "Gauge"]:
    """How many requests are in flight now, and how many of their pictures wait."""
    from prometheus_client import Gauge

    _forget_dead_workers()
    return (
        Gauge(
            "imagette_requests_in_flight",
            "Requests that are being answered.",
            registry=registry,
            multiprocess_mode="livesum",
        ),
        Gauge(
            "imagette_requests_waiting",
            "Requests that wait for the turn of a picture or of an explanation.",
            registry=registry,
            multiprocess_mode="livesum",
        ),
    )


def _forget_dead_workers() -> None:
    """Take away what workers that were killed had in flight: a new one comes in their place."""
    folder = os.environ.get(FOLDER_VARIABLE)
    for file in Path(folder).glob("gauge_live*.db") if folder else ():
        try:
            os.kill(int(file.stem.rpartition("_")[2]), 0)
        except ProcessLookupError:
            file.unlink(missing_ok=True)
        except (OSError, ValueError):  # one of another user, or of another program
            continue
