"""A Ray cluster to work on: one of its own on this machine, or one that is there already."""

import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from imagette.errors import ImagetteError

_SECONDS = 10.0
"""A head that does not take a connection for so long is not there; Ray itself waits minutes."""


@contextmanager
def cluster(address: str | None = None) -> Iterator[int]:
    """Be connected to a cluster, and no longer than needed.

    Args:
        address: of an existing cluster: `HOST:PORT` of its head, `ray://HOST:10001` is not taken
            because the driver must run on one of the machines; `auto` for the one that runs here.
            None for a cluster of its own, with all cores that this process may use, which ends
            with it.

    Yields:
        How many cores (CPUs) it has.

    Raises:
        ImagetteError: Ray is not installed, or the cluster cannot be reached.
    """
    ray = _import_ray()
    options = {"log_to_driver": False, "logging_level": logging.ERROR, "configure_logging": True}
    if address is None:
        from imagette.inference.answering_processes import available_cores

        options |= {"num_cpus": available_cores(), "include_dashboard": False}
    try:
        if address and address != "auto":
            host, _, port = address.rpartition(":")
            socket.create_connection((host, int(port)), _SECONDS).close()
        with _as_before():
            ray.init(address=address or "local", namespace="imagette", **options)
    except Exception as error:  # that a start took too long is a plain one of Ray's
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ImagetteError(
            f"The Ray cluster {address or 'of this machine'} does not answer: {first.rstrip('.')}.",
            "Give the address that `ray start --head` printed, such as"
            " --ray-address 192.168.1.10:6379, on a machine of the cluster."
            if address
            else "Look into /tmp/ray/session_latest/logs for what went wrong.",
        ) from None
    try:
        yield max(1, int(ray.cluster_resources().get("CPU", 1)))
    finally:
        ray.shutdown()


@contextmanager
def _as_before() -> Iterator[None]:
    """While Ray begins: it would take SIGTERM for itself, and its part in C++ says on stderr which
    level of its log was chosen."""
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
    # Before it is imported: it tells nobody that it is used, and writes no bars of its own.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_DATA_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError:
        raise ImagetteError(
            "Ray is not installed.", "Install it with: pip install 'imagette[ray]'"
        ) from None
    logging.getLogger("ray").setLevel(logging.ERROR)
    # That a node is lost it says on stdout, among results, whatever is set.
    ray._private.worker.print_to_stdstream = lambda *_, **__: None
    return ray


def shared_path(path: Path) -> Path:
    """The path as other machines see it: absolute."""
    return path.expanduser().resolve()
