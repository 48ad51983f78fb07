"""`imagette`, and `python -m imagette`."""

import gc
import signal
import sys

from imagette.interrupts import ctrl_c_ends_at_once


def main() -> None:
    """Run the command line; Ctrl-C ends it quietly, even while it is still being loaded."""
    try:
        with ctrl_c_ends_at_once():
            from imagette.cli.app import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        # Nothing is left to do; Python, as it ends, would print where a signal met it.
        for stop in (signal.SIGINT, signal.SIGTERM):
            signal.signal(stop, signal.SIG_DFL)
        # The system takes back all memory at once; Python would look through it first, for a fifth
        # of a second.
        gc.freeze()


if __name__ == "__main__":
    main()
