"""`imagette`, and `python -m imagette`."""

import sys


def main() -> None:
    """Run the command line; Ctrl-C ends it quietly, even while it is still being loaded."""
    try:
        from imagette.cli.app import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
