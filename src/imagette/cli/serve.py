"""`imagette serve`, `page` and `demo`: the API, and the web page that talks to it."""

import inspect
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import typer
from pydantic.fields import FieldInfo

from imagette.cli.options import ModelOption, ServedModelsOption
from imagette.errors import ImagetteError
from imagette.serving.settings import Settings


def _with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command an option for each of the API's settings, in place of `**settings`."""
    signature = inspect.signature(command)
    parameters = dict(signature.parameters)
    keywords = parameters.pop("settings")
    for name, field in Settings.model_fields.items():
        if name not in parameters:
            option = _option(field)
            parameters[name] = keywords.replace(
                name=name, kind=keywords.KEYWORD_ONLY, default=None, annotation=option
            )
            command.__annotations__[name] = option
    command.__signature__ = signature.replace(parameters=[*parameters.values()])  # type: ignore[attr-defined]
    return command


def _option(setting: FieldInfo) -> Any:
    text = setting.description or ""
    panel = "Settings, each also IMAGETTE_… (docs/reference/settings.md)"
    option = typer.Option(help=f"{text[:1].upper()}{text[1:]}.", rich_help_panel=panel)
    return Annotated[_option_type(setting.annotation) | None, option]


def _option_type(annotation: Any) -> Any:
    """What the command line reads a setting as; lists are text with commas between."""
    if get_origin(annotation) is tuple:
        return str
    return next((one for one in get_args(annotation) if one is not type(None)), annotation)


HttpsOption = Annotated[
    bool,
    typer.Option(
        "--https",
        help="Let the web page speak HTTPS too, with a certificate made here: phones lend it their"
        " camera then.",
    ),
]
HttpsPortOption = Annotated[int, typer.Option(help="Port of the web page's HTTPS.")]


@_with_settings
def serve(
    model: ServedModelsOption = None,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for all.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port of the API.")] = 5000,
    ui: Annotated[bool, typer.Option("--ui", help="Serve the web page too.")] = False,
    ui_port: Annotated[int, typer.Option(help="Port of the web page.")] = 8501,
    https: HttpsOption = False,
    https_port: HttpsPortOption = 8443,
    **settings: Any,
) -> None:
    """Answer over HTTP, and with --ui on a web page, until Ctrl-C."""
    from imagette.serving.server import serve as serve_model

    if https and not ui:
        raise ImagetteError(
            "--https is for the web page, which is not served.",
            "Add --ui; for the API, put a proxy that speaks HTTPS in front.",
        )
    serve_model(
        Settings(model=model, **settings),
        host=host,
        port=port,
        ui=ui,
        ui_port=ui_port,
        https_port=https_port if https else 0,
    )


def page(
    api: Annotated[
        str, typer.Option(metavar="URL", envvar="IMAGETTE_API_URL", help="Address of the API.")
    ] = "http://127.0.0.1:5000",
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for all.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port of the page.")] = 8501,
    https: HttpsOption = False,
    https_port: HttpsPortOption = 8443,
    base_path: Annotated[
        str | None,
        typer.Option(
            help="Path below which the page is found, such as `/imagette`; also IMAGETTE_BASE_PATH."
        ),
    ] = None,
    title: Annotated[
        str | None, typer.Option(help="What the page is called; also IMAGETTE_TITLE.")
    ] = None,
    max_upload_bytes: Annotated[
        int | None,
        typer.Option(help="Largest file that the API takes; also IMAGETTE_MAX_UPLOAD_BYTES."),
    ] = None,
) -> None:
    """Show the web page of an API that runs elsewhere, until Ctrl-C.

    Where the API asks for keys, the page's own is in the environment: IMAGETTE_API_KEY.
    """
    from imagette.serving.webapp_process import serve_webapp

    settings = Settings(max_upload_bytes=max_upload_bytes, base_path=base_path, title=title)
    key = os.environ.get("IMAGETTE_API_KEY", "")
    # A stop asked for by a service manager is as clean as one from the keyboard.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    serve_webapp(
        api,
        host,
        port,
        settings.max_upload_bytes,
        key,
        settings.base_path,
        https_port if https else 0,
        settings.title,
    )


def demo(
    model: ModelOption = Path("cifar10"),
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 to let phones in.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port of the API.")] = 5000,
    ui_port: Annotated[int, typer.Option(help="Port of the web page.")] = 8501,
    https: HttpsOption = False,
    https_port: HttpsPortOption = 8443,
    teach: Annotated[
        bool,
        typer.Option("--teach", help="Let people teach classes of their own, on the page too."),
    ] = False,
) -> None:
    """Serve a model that ships with Imagette, with its page: here, or to phones nearby."""
    from imagette.serving.server import serve as serve_model

    settings = Settings(model=model, teach=teach or None)
    serve_model(
        settings,
        host=host,
        port=port,
        ui=True,
        ui_port=ui_port,
        https_port=https_port if https else 0,
    )
