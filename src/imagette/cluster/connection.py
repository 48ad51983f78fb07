"""The connection to a Ray cluster: one started on this machine, or an existing one."""

import logging
import os
import re
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from imagette.errors import ImagetteError, first_line

_SECONDS = 10.0
"""How long to wait for the head to take a connection; Ray itself would wait minutes."""
NO_CORE_YET = "The Ray cluster has no core yet; waiting for a machine."
_HOST_AND_PORT = re.compile(r"(\[[0-9a-f:.%]+\]|[^\s:/\[\]]+):(\d+)", re.IGNORECASE)
_REMEDY = (
    "Give the address that `ray start --head` printed, such as --ray-address 192.168.1.10:6379, on"
    " a machine of the cluster."
)


def check_address(address: str) -> None:
    """Make sure that an address can be one of a cluster.

    Raises:
        ImagetteError: it is neither `HOST:PORT` nor `auto`.
    """
    if address != "auto" and not _HOST_AND_PORT.fullmatch(address):
        raise ImagetteError(f"`{address}` is not the address of a Ray cluster.", _REMEDY)


@contextmanager
def cluster(address: str | None = None) -> Iterator[int]:
    """Connect to a cluster, and disconnect at the end.

    Args:
        address: of an existing cluster: `HOST:PORT` of its head, or `auto` for the one that runs on
            this machine. The driver must run on one of the cluster's machines.
            None starts a cluster on this machine, with all cores that this process may use, and
            stops it at the end.

    Yields:
        How many cores (CPUs) it has.

    Raises:
        ImagetteError: Ray is not installed, or the cluster cannot be reached.
    """
    if address is not None:
        check_address(address)
    ray = _import_ray()
    options = {"log_to_driver": False, "logging_level": logging.ERROR, "configure_logging": True}
    if address is None:
        from imagette.inference.answering_processes import available_cores

        options |= {"num_cpus": available_cores(), "include_dashboard": False}
    remedy = _REMEDY
    try:
        if address and address != "auto":
            host, _, port = address.rpartition(":")
            # Brackets are around an address of IPv6.
            socket.create_connection((host.strip("[]"), int(port)), _SECONDS).close()
            remedy = (
                "Something answers at that address: use the same versions of Ray and Python there"
                " and here, and set RAY_AUTH_MODE=token if the cluster was started with a token."
            )
        with _quiet_start():
            ray.init(address=address or "local", namespace="imagette", **options)
    except Exception as error:  # Ray raises plain ones too, such as for a start that took too long
        raise ImagetteError(
            f"The Ray cluster {address or 'of this machine'} does not answer: {first_line(error)}.",
            remedy
            if address
            else "Try again when the machine is less busy; /tmp/ray/session_latest/logs says more.",
        ) from None
    try:
        yield max(1, int(ray.cluster_resources().get("CPU", 1)))
    finally:
        ray.shutdown()


def on_this_machine() -> Any:
    """The scheduling strategy of what must not be lost before this process is."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    return NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)


def _failed(error: Exception) -> ImagetteError:
    cause = getattr(error, "cause", None)
    return ImagetteError(
        f"The work on the Ray cluster failed: {kind_and_first_line(cause or error)}",
        "Check that all machines have the same version of Imagette and enough memory, then run"
        " the command again (`tune` with --resume): what is finished is kept.",
    )


def result_of(reference: Any, failed: Callable[[Exception], ImagetteError] = _failed) -> Any:
    """What a task returned.

    Args:
        reference: Ray's, to the result of a task that may still run.
        failed: from an error of Ray to what the user is told.

    Raises:
        ImagetteError: the task raised it, or another error; or its worker was lost.
    """
    import ray

    try:
        return ray.get(reference)
    except ray.exceptions.RayError as error:
        cause = getattr(error, "cause", None)
        if isinstance(cause, ImagetteError):
            raise cause from None
        raise failed(error) from error


def kind_and_first_line(error: BaseException) -> str:
    """The kind of an error and the first line of what it says, as a sentence."""
    told = [type(error).__name__, *str(error).strip().splitlines()[:1]]
    return f"{': '.join(told).rstrip('.:')}."


def wait_for_a_machine(tell: Callable[[], None]) -> int:
    """Return how many cores the cluster has, once it has one: an autoscaler starts machines only
    when work waits for them.

    Args:
        tell: called once if that takes more than a few seconds.
    """
    import ray

    if not ray.cluster_resources().get("CPU"):
        started = ray.remote(num_cpus=1)(_nothing).remote()
        if not ray.wait([started], timeout=_SECONDS)[0]:
            tell()
        result_of(started)
    return int(ray.cluster_resources()["CPU"])


def _nothing() -> None:
    pass


@contextmanager
def _quiet_start() -> Iterator[None]:
    """Keep Ray's start from replacing the handler of SIGTERM, and from printing its log level."""
    handler = signal.getsignal(signal.SIGTERM)
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)


def _import_ray():  # type: ignore[no-untyped-def]  # a module
    # Read at import: no usage statistics, no progress bars, no logs on the terminal.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_DATA_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    # A task that takes too much memory is tried again so many times; Ray itself tries for ever.
    os.environ.setdefault("RAY_task_oom_retries", "10")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError:
        raise ImagetteError(
            "Ray is not installed.", "Install it with: pip install 'imagette[ray]'"
        ) from None
    logging.getLogger("ray").setLevel(logging.ERROR)
    # Ray would print on stdout, among our results, that a node was lost; no setting turns it off.
    ray._private.worker.print_to_stdstream = lambda *_, **__: None
    return ray


def shared_path(path: Path) -> Path:
    """The path as other machines see it: absolute."""
    return path.expanduser().resolve()
