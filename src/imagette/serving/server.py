"""The servers: the API on Granian and, if wanted, the web page beside it."""

import multiprocessing
import os
import secrets
import signal
import sys
import tempfile
import time
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Event, Thread

from flask import Flask
from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels
from granian.server import Server
from granian.server.common import AbstractServer
from pydantic import SecretStr

from imagette.errors import ImagetteError
from imagette.inference.bundle import open_bundle
from imagette.inference.trial import share
from imagette.serving.app import DescribedApp, create_app, swap_model
from imagette.serving.metrics import FOLDER_VARIABLE
from imagette.serving.ports import check_free, is_up, resolve, url
from imagette.serving.settings import Settings
from imagette.serving.webapp_process import WebappProcess

# A worker looks at one picture at a time; its other threads receive uploads meanwhile. They come
# and go with the need, and one that waits for a client takes little, so there are as many as
# requests may be under way: a stalled upload then holds up nobody.
_REQUESTS_PER_WORKER = 512


def serve(
    settings: Settings | None = None,
    host: str = "127.0.0.1",
    port: int = 5000,
    ui: bool = False,
    ui_port: int = 8501,
) -> None:
    """Serve the API, and the web page if wanted, until Ctrl-C or SIGTERM.

    Once everything answers, the addresses are printed. When this returns or raises, every
    process that it started has stopped. It must be called in the main thread.

    Args:
        settings: what to serve; from the environment if None.
        host: address to listen on; `0.0.0.0` lets other machines in.
        port: port of the API.
        ui: whether to serve the web page too.
        ui_port: port of the web page.

    Raises:
        ImagetteError: the model cannot be loaded, an address cannot be listened on, the web page
            is not installed or does not answer, or a server stopped by itself.
    """
    settings = _disable_teaching_if_unavailable(settings or Settings())
    for model in settings.model:
        open_bundle(model.path, threads=1)
    address = resolve(host)
    check_free(address, port, "--port")
    webapp = None
    if ui:
        if ui_port == port:
            raise ImagetteError(
                f"The API and the page cannot both have the port {port}.",
                "Choose another one with --port or --ui-port.",
            )
        check_free(address, ui_port, "--ui-port")
        webapp_key = ""
        if settings.api_keys:
            webapp_key = secrets.token_urlsafe()
            keys = (*settings.api_keys, SecretStr(webapp_key))
            settings = settings.model_copy(update={"api_keys": keys})
        webapp = WebappProcess(
            address,
            ui_port,
            url(address, port) + settings.base_path,
            settings.max_upload_bytes,
            webapp_key,
            settings.base_path,
        )
    with tempfile.TemporaryDirectory(prefix="imagette-", ignore_cleanup_errors=True) as folder:
        settings = _share_among_workers(settings, Path(folder))
        _run(_make_server(address, port, settings.workers), settings, webapp, Path(folder))


def _disable_teaching_if_unavailable(settings: Settings) -> Settings:
    """The settings, with teaching off and that said where this machine lacks something for it.

    What the workers need for it is made here, once for all.
    """
    if not settings.teach:
        return settings
    # Imported only here: teaching needs more packages.
    from imagette.serving.teaching.lesson_store import prepare_backbone

    try:
        prepare_backbone()
    except ImagetteError as reason:
        print(reason, "All else is served.", file=sys.stderr, flush=True)
        return settings.model_copy(update={"teach": False})
    return settings


def _share_among_workers(settings: Settings, folder: Path) -> Settings:
    """Let the workers count, keep lessons, and tell what they found, in files, so that any knows
    what all did."""
    share(folder)
    metrics = folder / "metrics"
    metrics.mkdir()
    os.environ[FOLDER_VARIABLE] = str(metrics)
    lessons = settings.lessons_dir or folder / "lessons"
    return settings.model_copy(update={"lessons_dir": lessons})


def _make_server(address: str, port: int, workers: int) -> AbstractServer:
    return Server(
        target="imagette",
        address=address,
        port=port,
        interface=Interfaces.WSGI,
        workers=workers,
        blocking_threads=_REQUESTS_PER_WORKER,
        backpressure=_REQUESTS_PER_WORKER,
        http=HTTPModes.http1,
        websockets=False,
        log_level=LogLevels.error,
        respawn_failed_workers=True,
        workers_kill_timeout=10,
    )


def _run(
    server: AbstractServer, settings: Settings, webapp: WebappProcess | None, folder: Path
) -> None:
    """Run until a signal comes or a server stops by itself; leave no process behind.

    The workers leave in `folder` which of them take SIGHUP.
    """
    stopped, failures = Event(), list[ImagetteError]()
    api_url = url(server.bind_addr, server.bind_port) + settings.base_path

    # Granian calls this once it handles signals, so that none can leave the page behind.
    @server.on_startup
    def start_others() -> None:
        if hasattr(signal, "SIGHUP"):
            _handle_hangup(server, folder)
        if webapp:
            webapp.start()
        Thread(
            target=_watch_processes,
            args=(server, api_url, webapp, stopped, failures),
            daemon=True,
        ).start()

    try:
        server.serve(target_loader=partial(_load_app, settings, folder), wrap_loader=False)
    except SystemExit as error:  # what Granian does when its workers fail again and again
        raise ImagetteError(
            "The API stopped: its workers fail again and again.",
            "The messages above say why; mend that, then start it again.",
        ) from error
    finally:
        stopped.set()
        if webapp:
            webapp.stop()
    if failures:
        raise failures[0]


def _handle_hangup(server: AbstractServer, folder: Path) -> None:
    """Make SIGHUP load the model anew, or stop the server where it comes from a terminal."""
    # A terminal that is closed ends what runs in it.
    if sys.stdin is not None and sys.stdin.isatty():
        signal.signal(signal.SIGHUP, server.signal_handler_interrupt)
        return
    parent = os.getpid()

    def tell_workers(*_: object) -> None:
        if os.getpid() != parent:  # a worker just forked, which loads the model anyway
            return
        for worker in server.wrks:
            pid = getattr(worker.inner, "pid", None)
            # It would end one that is only starting, which has yet to load the model anyway.
            if pid and worker.is_alive() and _takes_hangup(folder, pid).exists():
                os.kill(pid, signal.SIGHUP)

    # Granian would replace the workers, and reset the connections that the old ones had not yet
    # accepted.
    signal.signal(signal.SIGHUP, tell_workers)


def _takes_hangup(folder: Path, pid: int) -> Path:
    """The file by which a worker says that it takes SIGHUP."""
    return folder / f"takes-hangup-{pid}"


def _load_app(settings: Settings, folder: Path) -> Flask:
    """What a worker runs."""
    parent = multiprocessing.parent_process()
    if parent is not None:  # None where Granian's workers are threads (Python without a GIL)
        if hasattr(os, "setpgid"):
            # In a group of its own, a worker does not get the terminal's Ctrl-C: the parent does,
            # and stops its workers in good order.
            os.setpgid(0, 0)
        if hasattr(signal, "SIGHUP"):
            # Before the model is read, so that a sign that comes meanwhile is kept for the thread
            # below, which all later threads leave it to.
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
            _takes_hangup(folder, os.getpid()).touch()
        Thread(target=_stop_with_parent, args=(parent,), daemon=True).start()
    try:
        app = create_app(settings)
    except ImagetteError as error:  # the model's file was changed since the server started
        sys.exit(str(error))
    if parent is not None and hasattr(signal, "SIGHUP"):
        Thread(target=_swap_at_hangup, args=(app,), daemon=True).start()
    return app


def _swap_at_hangup(app: DescribedApp) -> None:
    while True:
        signal.sigwait({signal.SIGHUP})
        swap_model(app)


def _stop_with_parent(parent: BaseProcess) -> None:
    """Stop this worker when its parent is gone, even if that was killed."""
    parent.join()
    while True:  # a worker that is still starting does not listen yet
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(1)


def _watch_processes(
    server: AbstractServer,
    api_url: str,
    webapp: WebappProcess | None,
    stopped: Event,
    failures: list[ImagetteError],
) -> None:
    """Print the addresses once they answer; stop everything when the page fails, and note why."""
    lines = [f"  API   {api_url}", *([f"  Page  {webapp.url}"] if webapp else [])]
    try:
        # Waiting comes first: the workers are forked meanwhile, and find this thread at rest.
        while not stopped.wait(0.1) and not (webapp and webapp.has_stopped()):
            page_is_ready = not webapp or webapp.is_ready()
            if page_is_ready and is_up(server.bind_addr, server.bind_port, "/readyz"):
                print("Imagette is ready:", *lines, "Press Ctrl-C to stop.", sep="\n", flush=True)
                break
        if not webapp:
            return
        webapp.wait()
        raise ImagetteError(
            "The web page stopped by itself, so the API was stopped too.",
            "The messages above say why; start it again, or serve without the page.",
        )
    except ImagetteError as error:
        if not server.interrupt_signal:
            failures.append(error)
            server.signal_handler_interrupt()
