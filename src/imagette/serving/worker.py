"""What a worker of the server runs: the application, and threads for what the server tells it."""

import multiprocessing
import os
import signal
import sys
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Thread

from flask import Flask

from imagette.errors import ImagetteError
from imagette.serving.app import DescribedApp, create_app, reload_keys, swap_model
from imagette.serving.connections import end_slow_requests
from imagette.serving.settings import Settings
from imagette.serving.stop import stop_at_sigterm


def takes_hangup(folder: Path, pid: int) -> Path:
    """The file by which a worker says that it takes SIGHUP."""
    return folder / f"takes-hangup-{pid}"


def has_loaded(folder: Path, pid: int) -> Path:
    """The file by which a worker says that it has loaded the model."""
    return folder / f"has-loaded-{pid}"


def load_app(settings: Settings, port: int, folder: Path) -> Flask:
    """Make the application in a process that Granian has just started.

    Args:
        settings: what to serve.
        port: where the clients connect.
        folder: where files tell the parent how far this worker is.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:  # None where Granian's workers are threads (Python without a GIL)
        _listen_to_parent(parent, port, folder)
    try:
        app = create_app(settings, kept_keys=folder / "keys")
    except ImagetteError as error:  # the model's file was changed since the server started
        sys.exit(str(error))
    if parent is not None and hasattr(signal, "SIGHUP"):
        Thread(target=_reload_at_hangup, args=(app,), daemon=True).start()
    limits = (
        settings.body_seconds,
        settings.max_seconds,
        settings.keep_alive_seconds,
        settings.max_upload_bytes,
    )
    Thread(target=end_slow_requests, args=(port, *limits), daemon=True).start()
    has_loaded(folder, os.getpid()).touch()
    return app


def _listen_to_parent(parent: BaseProcess, port: int, folder: Path) -> None:
    if hasattr(os, "setpgid"):
        # In a group of its own, a worker does not get the terminal's Ctrl-C: the parent does,
        # and stops its workers in good order.
        os.setpgid(0, 0)
    if hasattr(signal, "SIGHUP"):
        # Before the model is read, so that a sign that comes meanwhile is kept for the thread
        # that waits for it, which all later threads leave it to.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
        stop_at_sigterm(port)
        takes_hangup(folder, os.getpid()).touch()
    Thread(target=_stop_with_parent, args=(parent,), daemon=True).start()


def _reload_at_hangup(app: DescribedApp) -> None:
    while True:
        signal.sigwait({signal.SIGHUP})
        reload_keys(app)
        swap_model(app)


def _stop_with_parent(parent: BaseProcess) -> None:
    """Stop this worker when its parent is gone, even if that was killed."""
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
