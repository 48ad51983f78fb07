"""`imagette models`."""

import json

from imagette.cli.console import print_line, print_table
from imagette.cli.options import JsonOption
from imagette.terminal import local


def models(as_json: JsonOption = False) -> None:
    """List the networks that can be trained, with their sizes and options."""
    from imagette.models import list_models

    rows = list_models()
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    print_table(
        ["network", "parameters", "FLOPs a picture", "arguments (--set 'model_options={...}')"],
        [
            [
                row["name"],
                f"{row['parameters']:,}",
                local(f"{row['flops'] / 1e6:,.1f} million"),
                ", ".join(f"{key} = {value}" for key, value in row["options"].items()) or "-",
            ]
            for row in rows
        ],
    )
    print_line(
        "For pictures of 32×32 and ten classes; a multiplication and its addition count as two."
    )
