"""Errors that a user can cause: what is wrong, and what to do."""


class ImagetteError(Exception):
    """Something the user can mend.

    Args:
        problem: one sentence on what is wrong.
        remedy: one sentence on what to do about it.
    """

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem, remedy)  # what it is made anew from in another process
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.problem} {self.remedy}"


class ModelError(ImagetteError):
    """A model that fails on a picture, or answers it with what cannot be an answer."""


class ImageError(ImagetteError):
    """A picture that cannot be read, or that is too large to be read safely.

    Args:
        problem: one sentence on what is wrong.
        remedy: one sentence on what to do about it.
        too_large: whether the picture was refused for its number of pixels.
    """

    def __init__(self, problem: str, remedy: str, *, too_large: bool = False) -> None:
        super().__init__(problem, remedy)
        self.too_large = too_large


def first_line(error: BaseException) -> str:
    """The reason that a library gives, without its details or a full stop; the kind of the error
    where it gives none."""
    return str(error).strip().partition("\n")[0].rstrip(".") or type(error).__name__
