"""What a Dockerfile says, and its installation carried out without Docker."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
FILE = ROOT / "deploy/Dockerfile"
ENVIRONMENT = "/opt/imagette"
"""Where the images have their Python environment."""


def instructions() -> list[tuple[str, str]]:
    """The instructions of `FILE`, such as `("RUN", "make")`, in order."""
    all_lines = FILE.read_text(encoding="utf-8").splitlines()
    lines = [line for line in all_lines if not line.startswith("#")]
    text = re.sub(r"\\\n\s*", "", "\n".join(lines))
    split = (line.split(maxsplit=1) for line in text.splitlines() if line.strip())
    return [(name.upper(), rest) for name, rest in split]


def stages() -> dict[str, dict[str, list[str]]]:
    """By stage and by instruction, what it says: first that of the stage which it begins with."""
    found: dict[str, dict[str, list[str]]] = {}
    stage: dict[str, list[str]] = {}  # what stands before the first is of none
    for name, rest in instructions():
        if name == "FROM":
            base, _, own = rest.split()
            stage = found[own] = {key: [*value] for key, value in found.get(base, {}).items()}
        stage.setdefault(name, []).append(rest)
    return found


def copied() -> set[str]:
    """What the images are built from: paths in the repository."""
    found = (rest.split() for name, rest in instructions() if name == "COPY")
    return {path for words in found if not words[0].startswith("--from=") for path in words[:-1]}


def install(folder: Path) -> Path:
    """Run the Dockerfile's own `RUN` steps on what it copies, with this Python, in an empty folder.

    Returns:
        The `bin` folder of an environment with the API and the page.

    Raises:
        CalledProcessError: a step failed.
    """
    context, environment = folder / "build", folder / "imagette"
    context.mkdir(parents=True)
    for path in copied():
        if (ROOT / path).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / path, context / path, ignore=ignored)
        else:
            shutil.copy(ROOT / path, context)
    python = Path(sys.executable).resolve().parent
    # No other variable gets into a step, but those by which pip finds packages here. Bytecode lets
    # an image start sooner; here it would cost more time than it saves.
    variables = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    variables |= {"PATH": f"{python}{os.pathsep}{os.defpath}", "PIP_NO_COMPILE": "1"}
    for name, rest in instructions():
        if name == "RUN":
            command = rest.replace(ENVIRONMENT, str(environment))
            subprocess.run(
                ["sh", "-e", "-c", command],
                env=variables | {"HOME": str(folder)},
                cwd=context,
                check=True,
                capture_output=True,
                text=True,
            )
    return environment / "bin"
