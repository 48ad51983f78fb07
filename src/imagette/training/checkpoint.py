"""What a training that was stopped goes on from."""

import io
from pathlib import Path

import torch

from imagette.errors import ImagetteError
from imagette.files import write_bytes
from imagette.training.state import State


def to_bytes(state: State) -> bytes:
    """What `from_bytes` makes the state from, on a machine without a GPU, too."""
    content = io.BytesIO()
    torch.save(vars(state), content)
    return content.getvalue()


def from_bytes(content: bytes) -> State:
    """The state, with all that it holds on the CPU."""
    return State(**torch.load(io.BytesIO(content), weights_only=True, map_location="cpu"))


def save_checkpoint(folder: Path, state: State) -> None:
    # Through memory, because on a full disk PyTorch's own writing ends in an error of its insides.
    write_bytes(folder / "checkpoint.pt", to_bytes(state))


def load_checkpoint(folder: Path) -> State:
    """The state to go on from; the beginning where there is none."""
    path = folder / "checkpoint.pt"
    if not path.is_file():
        return State()
    try:
        return from_bytes(path.read_bytes())
    # A damaged file makes PyTorch raise nearly anything.
    except Exception as error:
        raise ImagetteError(
            f"{path} is damaged, so the run cannot be resumed from it.",
            "Delete the run folder and train again.",
        ) from error
