"""`imagette`, and `python -m imagette`."""

import gc
import sys


def main() -> None:
    """Run the command line; Ctrl-C ends it quietly, even while it is still being loaded."""
    try:
        from imagette.cli.app import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        # The system takes back all memory at once; Python would look through it first, for a fifth
        # of a second.
        gc.freeze()


if __name__ == "__main__":
    main()
