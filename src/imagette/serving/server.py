"""The servers: the API on Granian and, if wanted, the web page beside it."""

import os
import secrets
import signal
import sys
import tempfile
from functools import partial
from pathlib import Path
from threading import Event, Thread

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.common import AbstractServer
from pydantic import SecretStr

from imagette.errors import ImagetteError
from imagette.files import make_private_folder
from imagette.inference.bundle import open_bundle
from imagette.inference.trial import share
from imagette.serving.api_keys import KeyRing
from imagette.serving.client import introduce_page
from imagette.serving.connections import allow_connections
from imagette.serving.memory import hand_back_freed_memory
from imagette.serving.metrics import FOLDER_VARIABLE
from imagette.serving.metrics_server import metrics_server
from imagette.serving.phones import lines_for_phones
from imagette.serving.ports import check_ports, is_up, resolve, url
from imagette.serving.settings import Settings
from imagette.serving.stop import SECONDS_TO_STOP, Interrupt
from imagette.serving.webapp_process import WebappProcess
from imagette.serving.worker import has_loaded, load_app, takes_hangup
from imagette.serving.worker_watch import WatchedServer, WorkerWatch
from imagette.terminal import tell

# Most of a worker's threads receive uploads or wait for a turn, and take little; they come and go
# with the need. A connection between two requests has none.
_REQUESTS_PER_WORKER = 512


def serve(
    settings: Settings | None = None,
    host: str = "127.0.0.1",
    port: int = 5000,
    ui: bool = False,
    ui_port: int = 8501,
    https_port: int = 0,
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
        https_port: port on which the web page speaks HTTPS too, with a certificate made here; 0 for
            none.

    Raises:
        ImagetteError: the model cannot be loaded, an address cannot be listened on, the web page
            is not installed or does not answer, or a server stopped by itself.
    """
    hand_back_freed_memory()  # the workers that are forked do the same
    settings = _disable_teaching_if_unavailable(settings or Settings())
    for model in settings.model:
        open_bundle(model.path, threads=1)
    KeyRing(settings.api_keys, settings.api_keys_file)  # tells what cannot be read
    if settings.feedback:
        make_private_folder(settings.feedback.resolve(), "--feedback")
    if settings.teach and settings.lessons_dir:
        make_private_folder(settings.lessons_dir.resolve(), "--lessons-dir")
    address = resolve(host)
    page_ports = {"--ui-port": ui_port, "--https-port": https_port or None} if ui else {}
    other_ports = {"--port": port, "--metrics-port": settings.metrics_port or None}
    check_ports(address, other_ports | page_ports)
    webapp = None
    if ui:
        introduce_page(settings.trusted_proxies)
        webapp_key = ""
        if settings.asks_for_keys:
            webapp_key = secrets.token_urlsafe()
            keys = (*settings.api_keys, SecretStr(f"page:{webapp_key}"))
            settings = settings.model_copy(update={"api_keys": keys})
        webapp = WebappProcess(
            address, ui_port, url(address, port) + settings.base_path,
            settings.max_upload_bytes, webapp_key, settings.base_path, https_port, settings.title,
        )  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="imagette-", ignore_cleanup_errors=True) as folder:
        settings = _share_among_workers(settings, Path(folder))
        server = _make_server(address, port, settings)
        server.watch = WorkerWatch(settings.workers, Path(folder))
        counts = Path(os.environ[FOLDER_VARIABLE])
        with metrics_server(address, settings.metrics_port, counts):
            _run(server, settings, webapp, Path(folder))


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
        tell(reason.problem)
        tell(reason.remedy)
        tell("All else is served.")
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


def _make_server(address: str, port: int, settings: Settings) -> WatchedServer:
    server = WatchedServer(
        target="imagette",
        address=address,
        port=port,
        interface=Interfaces.WSGI,
        workers=settings.workers,
        blocking_threads=_REQUESTS_PER_WORKER,
        backpressure=allow_connections(),
        http=HTTPModes.http1,
        # The time for a request's head, which begins at the end of the one before it.
        http1_settings=HTTP1Settings(header_read_timeout=int(settings.keep_alive_seconds * 1000)),
        websockets=False,
        log_level=LogLevels.error,
        workers_kill_timeout=SECONDS_TO_STOP,
    )
    server.main_loop_interrupt = Interrupt()  # type: ignore[assignment]
    return server


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
        _handle_stop(server, webapp)
        if hasattr(signal, "SIGHUP"):
            _handle_hangup(server, folder)
        if webapp:
            webapp.start()
        Thread(
            target=_watch_processes,
            args=(server, api_url, webapp, folder, stopped, failures),
            daemon=True,
        ).start()

    try:
        server.serve(
            target_loader=partial(load_app, settings, server.bind_port, folder), wrap_loader=False
        )
    except SystemExit as error:  # no worker could be started
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


def _handle_stop(server: AbstractServer, webapp: WebappProcess | None) -> None:
    """Make SIGTERM and Ctrl-C stop the page at the same time as the workers."""
    parent = os.getpid()

    def stop(*_: object) -> None:
        if os.getpid() != parent:  # a worker just forked, which has nothing to lose yet
            os._exit(0)
        server.signal_handler_interrupt()
        if webapp:
            webapp.terminate()

    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, stop)


def _handle_hangup(server: AbstractServer, folder: Path) -> None:
    """Make SIGHUP load the model anew, or stop the server where it comes from a terminal."""
    # A terminal that is closed ends what runs in it.
    if sys.stdin is not None and sys.stdin.isatty():
        signal.signal(signal.SIGHUP, signal.getsignal(signal.SIGTERM))
        return
    parent = os.getpid()

    def tell_workers(*_: object) -> None:
        if os.getpid() != parent:  # a worker just forked, which loads the model anyway
            return
        for worker in server.wrks:
            pid = getattr(worker.inner, "pid", None)
            # It would end one that is only starting, which has yet to load the model anyway.
            if pid and worker.is_alive() and takes_hangup(folder, pid).exists():
                os.kill(pid, signal.SIGHUP)

    # Granian would replace the workers, and reset the connections that the old ones had not yet
    # accepted.
    signal.signal(signal.SIGHUP, tell_workers)


def _all_have_loaded(server: AbstractServer, folder: Path) -> bool:
    """Whether every worker has loaded the model."""
    pids = [getattr(worker.inner, "pid", None) for worker in server.wrks]
    return len(pids) == server.workers and all(
        pid is None or has_loaded(folder, pid).exists() for pid in pids
    )


def _watch_processes(
    server: AbstractServer,
    api_url: str,
    webapp: WebappProcess | None,
    folder: Path,
    stopped: Event,
    failures: list[ImagetteError],
) -> None:
    """Print the addresses once they answer, then keep the page running; where it does not even
    start, stop everything and note why."""
    lines = [f"  API   {api_url}", *([f"  Page  {webapp.url}"] if webapp else [])]
    try:
        # Waiting comes first: the workers are forked meanwhile, and find this thread at rest.
        while not stopped.wait(0.1):
            if webapp and webapp.has_stopped():
                raise ImagetteError(
                    "The web page stopped before it was ready, so the API was stopped too.",
                    "The messages above say why; start it again, or serve without the page.",
                )
            if (
                (not webapp or webapp.is_ready())
                and _all_have_loaded(server, folder)
                and is_up(server.bind_addr, server.bind_port, "/readyz")
            ):
                lines += lines_for_phones(webapp) if webapp else []
                tell("Imagette is ready:", sys.stdout)
                print(*lines, sep="\n", flush=True)  # with colours, of a QR code
                tell("Press Ctrl-C to stop.", sys.stdout)
                break
    except ImagetteError as error:
        if not server.interrupt_signal:
            failures.append(error)
            server.signal_handler_interrupt()
        return
    if webapp:
        webapp.keep_running(stopped)
