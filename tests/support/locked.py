"""A disk that cannot be written to, as containers and AWS Lambda have it."""

import shutil
import subprocess
from functools import cache
from pathlib import Path

# In a mount namespace of its own: nothing of it is seen outside, and it ends with the process.
_LOCK = """
set -e
mount --make-rprivate /
mount --bind "$1" "$1"
mount -o remount,bind,ro /
mount -t tmpfs -o ro none /dev/shm
export TMPDIR="$1"
shift
exec "$@"
"""


def locked(writable: Path) -> tuple[str, ...]:
    """What runs a command, given after it, where only the folder `writable` can be written to.

    It stands for /tmp there; shared memory (/dev/shm) is not to be had either, and no capability of
    root. Nothing is run, and so all can be written to, where whoever runs the tests may not do so.
    """
    command = ("unshare", "--mount", "sh", "-c", _LOCK, "sh", str(writable))
    without_rights = ("setpriv", "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all")
    if not _can(command):
        return ()
    return (*command, *without_rights)


@cache
def _can(command: tuple[str, ...]) -> bool:
    if not (shutil.which("unshare") and shutil.which("setpriv")):
        return False
    write = subprocess.run([*command, "sh", "-c", "! touch /dev/shm/x /x 2>/dev/null"])
    return write.returncode == 0
