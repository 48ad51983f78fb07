"""What the server counts and times, for Prometheus.

With several worker processes each writes into files of one folder, which the environment
variable `PROMETHEUS_MULTIPROC_DIR` names before the first is started; whoever is asked adds all of
them up (`metrics_text`), those of workers that have died too.
"""

import os
import platform
from bisect import bisect_left
from collections import Counter as CountsOf
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import imagette
from imagette.serving.batcher import Batcher
from imagette.serving.metrics_text import MODEL_INFO, render_alone, render_folder

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

    from imagette.inference.classifier import Classifier, Prediction

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"

_REQUEST_BUCKETS = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0
)  # fmt: skip
_PICTURE_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_KNOWN = {True: "yes", False: "no", None: "untold"}
_METHODS = frozenset(("GET", "HEAD", "POST", "DELETE", "OPTIONS"))


def count_worker_ends(registry: "CollectorRegistry") -> "Counter":
    """What counts workers that end by themselves: `killed` (probably as memory ran out), or
    `failed`."""
    from prometheus_client import Counter

    counter = Counter(
        "imagette_worker_ends", "Workers that ended by themselves.", ("reason",), registry=registry
    )
    for reason in ("killed", "failed"):
        counter.labels(reason)
    return counter


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
        self._decoding_seconds = histogram(
            "imagette_decoding_seconds",
            "Reading a picture, without the wait for its turn, in seconds.",
            buckets=_PICTURE_BUCKETS,
        )
        self._network_seconds = histogram(
            "imagette_network_seconds",
            "Asking the network about a picture, in seconds.",
            buckets=_PICTURE_BUCKETS,
        )
        self._predictions = counter(
            "imagette_predictions",
            "Pictures that were answered, by class, and by whether they look like any of them.",
            ("class", "known"),
        )
        self._in_flight, self._waiting = _gauges(self._registry)
        count_worker_ends(self._registry)
        self._describe_server(counter)
        # What each request counts: a dozen values in files, under one lock.
        self._soon = Batcher(_record)
        # Finding the counter of some labels takes longer than counting.
        self._of_request = cache(self._requests.labels)
        self._of_route = cache(self._request_seconds.labels)
        self._of_class = cache(self._predictions.labels)

    def _describe_server(self, counter: "Callable[..., Counter]") -> None:
        """Make what tells of the server rather than of requests."""
        from prometheus_client import Gauge

        # Of several workers that run, the largest value.
        gauge = partial(Gauge, registry=self._registry, multiprocess_mode="livemax")
        build = gauge("imagette_build_info", "What runs; always 1.", ("version", "python"))
        build.labels(imagette.__version__, platform.python_version()).set(1)
        self._model_info = gauge(
            MODEL_INFO, "The model that is served; 1.", ("model", "version", "sha256")
        )
        self._models: dict[str, tuple[str, str, str]] = {}
        self._key_reloads = counter(
            "imagette_key_reloads", "Times that the file of keys was read again.", ("outcome",)
        )
        self._swaps = counter(
            "imagette_model_swaps", "Times that the model's file was loaded anew.", ("outcome",)
        )
        # There from the start, at zero: Prometheus sees no increase in a first value.
        for outcome in ("done", "failed"):
            self._key_reloads.labels(outcome)
            self._swaps.labels(outcome)

    def count_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request that was answered; `route` is empty where there is nothing."""
        method = method if method in _METHODS else "other"
        self._soon.add((self._of_request(method, route, status), 1))
        self._soon.add((self._of_route(route), seconds))

    def begin_request(self) -> None:
        """Count a request that is in flight from now on, until `end_request`."""
        self._soon.add((self._in_flight, 1))

    def end_request(self) -> None:
        """Count one in flight less."""
        self._soon.add((self._in_flight, -1))

    def waiting(self) -> AbstractContextManager[None]:
        """What each wait for a turn is within."""
        return self._waiting.track_inprogress()

    def count_problem(self, kind: str) -> None:
        """Count an error."""
        self._problems.labels(kind).inc()

    def count_prediction(self, prediction: "Prediction", decoding: float, network: float) -> None:
        """Count a picture that was answered, and the seconds that each half of it took."""
        self._soon.add((self._of_class(prediction.label, _KNOWN[prediction.known]), 1))
        self._soon.add((self._decoding_seconds, decoding))
        self._soon.add((self._network_seconds, network))

    def count_swap(self, outcome: str) -> None:
        """Count a model that was loaded anew (`done`), or could not be (`failed`)."""
        self._swaps.labels(outcome).inc()

    def count_key_reload(self, outcome: str) -> None:
        """Count a file of keys that was read again (`done`), or could not be (`failed`)."""
        self._key_reloads.labels(outcome).inc()

    def show_model(self, name: str, classifier: "Classifier") -> None:
        """Say which model is served by a name from now on."""
        model = (name, classifier.metadata.imagette_version, classifier.sha256)
        if before := self._models.get(name):
            self._model_info.labels(*before).set(0)
        self._model_info.labels(*model).set(1)
        self._models[name] = model

    def start_at_zero(
        self, answers: Iterable[tuple[str, str, int]], problems: Iterable[str]
    ) -> None:
        """Have the counters of all that may come from the start: Prometheus sees no increase in a
        first value.

        Args:
            answers: method, route and status of what requests may be answered with.
            problems: kinds of error.
        """
        for answer in answers:
            self._requests.labels(*answer)
        for kind in problems:
            self._problems.labels(kind)

    def render(self) -> bytes:
        """Everything, of all workers, as Prometheus reads it; of the others, up to a moment ago."""
        self._soon.flush()
        folder = os.environ.get(FOLDER_VARIABLE)
        return render_folder(Path(folder)) if folder else render_alone(self._registry)


def _record(some: "list[tuple[Counter | Gauge | Histogram, float]]") -> None:
    """Add amounts to what they are of."""
    from prometheus_client import Histogram

    amounts: defaultdict[Counter | Gauge | Histogram, list[float]] = defaultdict(list)
    for metric, amount in some:
        amounts[metric].append(amount)
    for metric, values in amounts.items():
        if isinstance(metric, Histogram):
            _observe(metric, values)
        else:
            metric.inc(sum(values))


def _observe(histogram: "Histogram", values: list[float]) -> None:
    """What `Histogram.observe` does of each value, with a step for each bucket instead of two for
    each value; the package has nothing public for that."""
    places = CountsOf(bisect_left(histogram._upper_bounds, value) for value in values)
    for place, count in places.items():
        histogram._buckets[place].inc(count)
    histogram._sum.inc(sum(values))


def _gauges(registry: "CollectorRegistry") -> tuple["Gauge", "Gauge"]:
    """How many requests are in flight now, and how many of their pictures wait."""
    from prometheus_client import Gauge

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
