"""`python -m imagette` does what `imagette` does."""

from imagette.cli import main

main()
