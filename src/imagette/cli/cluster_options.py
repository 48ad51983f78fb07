"""The options of every command that can work on a Ray cluster."""

from typing import Annotated

import typer

RayOption = Annotated[
    bool,
    typer.Option(
        "--ray",
        help="Work on a Ray cluster of its own, on all cores of this machine"
        " (pip install 'imagette[ray]').",
    ),
]
RayAddressOption = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
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
