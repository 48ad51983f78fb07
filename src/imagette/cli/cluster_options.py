"""The options of every command that can work on a Ray cluster."""

from typing import Annotated

import typer

from imagette.errors import ImagetteError


def _check_ray(context: typer.Context, ray: bool) -> bool:
    _refuse_both(ray, context.params.get("ray_address"))
    return ray


def _check_address(context: typer.Context, address: str | None) -> str | None:
    if address is not None:
        from imagette.cluster.connection import check_address

        check_address(address)
    _refuse_both(context.params.get("ray", False), address)
    return address


def _refuse_both(ray: bool, address: str | None) -> None:
    if ray and address is not None:
        raise ImagetteError(
            "--ray starts a Ray cluster on this machine, and --ray-address names another one.",
            "Leave out one of the two.",
        )


RayOption = Annotated[
    bool,
    typer.Option(
        "--ray",
        callback=_check_ray,
        help="Work on a Ray cluster started on this machine, on all of its cores"
        " (pip install 'imagette[ray]').",
    ),
]
RayAddressOption = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        callback=_check_address,
        help="Work on an existing Ray cluster, such as 192.168.1.10:6379; `auto` for the one that"
        " runs on this machine.",
        show_default=False,
    ),
]
WorkersOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="How many workers of the Ray cluster share the work (default: for features one a core,"
        " for epochs one a machine).",
        show_default=False,
    ),
]
