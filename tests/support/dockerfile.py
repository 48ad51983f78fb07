"""The steps of a Dockerfile, carried out without Docker.

Every stage gets a folder that stands for its disk: what the steps call /opt lies in FOLDER/opt.
Base images stand for the Python that runs the tests. No variable of the environment gets into a
step, but those by which pip finds packages here.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

_OURS = re.compile(r"(?<![\w.])/(?:opt|build)\b")


@dataclass
class Stage:
    """A stage that has been built.

    Attributes:
        folder: what stands for its disk.
        workdir: the working directory of its steps.
        environment: its variables.
        user: what `USER` says.
        command: what `CMD` says.
        health: the command of `HEALTHCHECK`.
        port: what `EXPOSE` says.
    """

    folder: Path
    workdir: str = "/"
    environment: dict[str, str] = field(default_factory=dict)
    user: str = "root"
    command: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)
    port: int = 0

    def here(self, text: str) -> str:
        """A text with the paths of the stage's disk as they are on this machine's."""
        return _OURS.sub(lambda found: f"{self.folder}{found[0]}", text)

    def variables(self) -> dict[str, str]:
        """What a process of the stage has in its environment."""
        python = Path(sys.executable).resolve().parent
        path = f"{python}{os.pathsep}{os.defpath}"
        values = {name: self.here(value) for name, value in self.environment.items()}
        return {"PATH": path, **values} | (
            {"PATH": values["PATH"].replace("$PATH", path)} if "PATH" in values else {}
        )


def instructions(dockerfile: Path) -> list[tuple[str, str]]:
    """The instructions of a Dockerfile, such as `("RUN", "make")`, in order."""
    lines = [line for line in dockerfile.read_text().splitlines() if not line.startswith("#")]
    text = re.sub(r"\\\n\s*", "", "\n".join(lines))
    split = (line.split(maxsplit=1) for line in text.splitlines() if line.strip())
    return [(name.upper(), rest) for name, rest in split]


def build(dockerfile: Path, context: Path, folder: Path) -> dict[str, Stage]:
    """Carry out all steps; what there is then of each stage, by name.

    Raises:
        CalledProcessError: a step failed.
        ValueError: the Dockerfile has an instruction that this does not know.
    """
    stages: dict[str, Stage] = {}
    stage = Stage(folder)
    for name, rest in instructions(dockerfile):
        match name:
            case "FROM":
                base, _, own = rest.split()
                stage = _begin(stages.get(base), folder / own)
                stages[own] = stage
            case "WORKDIR":
                stage.workdir = rest
            case "ENV":
                stage.environment |= dict(pair.split("=", 1) for pair in shlex.split(rest))
            case "COPY":
                _copy(rest, stage, stages, context)
            case "RUN":
                _run(rest, stage)
            case "USER":
                stage.user = rest
            case "EXPOSE":
                stage.port = int(rest)
            case "HEALTHCHECK":
                stage.health = json.loads(rest.partition(" CMD ")[2])
            case "CMD":
                stage.command = json.loads(rest)
            case _:
                raise ValueError(f"{name} is not known here")
    return stages


def _begin(base: Stage | None, folder: Path) -> Stage:
    folder.mkdir()
    if base is None:
        return Stage(folder)
    _clone(base.folder, base.folder, folder, folder)
    return replace(base, folder=folder, environment=dict(base.environment))


def _copy(rest: str, stage: Stage, stages: dict[str, Stage], context: Path) -> None:
    words = rest.split()
    if words[0].startswith("--from="):
        source = stages[words[0].removeprefix("--from=")]
        target = stage.folder / words[2].lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        _clone(source.folder / words[1].lstrip("/"), source.folder, target, stage.folder)
        return
    target = stage.folder / stage.workdir.lstrip("/") / words[-1]
    for word in words[:-1]:
        if (context / word).is_dir():
            shutil.copytree(
                context / word, target, ignore=shutil.ignore_patterns("__pycache__", "*.pyc")
            )
        else:
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy(context / word, target)


def _clone(source: Path, old: Path, target: Path, new: Path) -> None:
    """Copy a folder by hard links; what names its place, as environments do, is rewritten."""
    shutil.copytree(source, target, symlinks=True, copy_function=os.link, dirs_exist_ok=True)
    for script in [*target.glob("**/bin/*"), *target.glob("**/pyvenv.cfg")]:
        if script.is_file() and not script.is_symlink():
            content = script.read_bytes().replace(bytes(old), bytes(new))
            mode = script.stat().st_mode
            script.unlink()
            script.write_bytes(content)
            script.chmod(mode)


def _run(command: str, stage: Stage) -> None:
    workdir = stage.folder / stage.workdir.lstrip("/")
    workdir.mkdir(parents=True, exist_ok=True)
    (stage.folder / "opt").mkdir(exist_ok=True)
    for_pip = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    subprocess.run(
        ["sh", "-e", "-c", stage.here(command)],
        # Bytecode lets an image start sooner; here it would cost more time than it saves.
        env=stage.variables() | for_pip | {"HOME": str(stage.folder), "PIP_NO_COMPILE": "1"},
        cwd=workdir,
        check=True,
        capture_output=True,
        text=True,
    )
